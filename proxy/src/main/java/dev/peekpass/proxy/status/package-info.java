/**
 * What the proxy tells of itself: how connections ended, what was counted, what listeners and
 * backends are doing. Metrics and the admin socket read these and nothing else.
 */
@NullMarked
package dev.peekpass.proxy.status;

import org.jspecify.annotations.NullMarked;
