package dev.peekpass.proxy.config;

/** What becomes of what the proxy has no need to do (docs/operations.md, Confinement). */
public enum ConfinementMode {
  /** The kernel refuses it. */
  ENFORCE,
  /** It is done, and the kernel's log says so, as far as that is about system calls. */
  AUDIT,
  /** It is done. */
  OFF
}
