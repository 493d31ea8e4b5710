package dev.peekpass.proxy.config;

import java.util.Optional;

/**
 * What a configuration says of whom the proxy runs as, and what it may do.
 *
 * @param user a name or number; empty when the file names none
 * @param group a name or number; empty for the user's own groups
 */
public record Privileges(
    Optional<String> user, Optional<String> group, ConfinementMode confinement) {}
