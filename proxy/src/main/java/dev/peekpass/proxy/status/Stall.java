package dev.peekpass.proxy.status;

/**
 * A time in which a thread that must never wait has stood still.
 *
 * @param thread its name, such as {@code loop-0}
 * @param call the system call or the method in which it was found, and who called it
 * @param millis how long, so far or in all
 * @param over whether it goes on since
 */
public record Stall(String thread, String call, long millis, boolean over) {}
