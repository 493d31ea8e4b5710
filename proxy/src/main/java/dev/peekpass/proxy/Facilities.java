package dev.peekpass.proxy;

import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.AccessLog;
import java.util.List;

/** What an {@link Operator} needs beside loops and sockets; called in its steps. */
interface Facilities {
  /**
   * Makes an access log whose writing thread runs until it is closed.
   *
   * @param loop whose connections are logged
   * @param enabled or one that takes nothing
   * @throws SystemCallException when there can be no such thread
   */
  AccessLog startLog(Loop loop, boolean enabled) throws SystemCallException;

  /** Goes over to the probes of other backends; what they find comes to the operator. */
  void probe(List<BackendConfig> backends);
}
