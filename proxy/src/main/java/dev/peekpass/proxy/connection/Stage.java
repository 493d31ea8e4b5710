package dev.peekpass.proxy.connection;

/**
 * What is being done with a connection: its first bytes are awaited, it waits for its backend, it
 * is offered to a receiver, its client reads why it was turned away. A connection's one {@link
 * Container} says which stage it is in.
 */
public interface Stage {
  /** The stage of containers whose connections no poller watches. */
  Stage UNWATCHED =
      new Stage() {
        @Override
        public void onEvents(Connection connection, int events) {
          throw new IllegalStateException("an event of a connection that nobody watches");
        }

        @Override
        public void onFault(Connection connection) {
          // It has been given on by whoever met the fault: it goes on where it stands now.
        }
      };

  /**
   * A connection that is watched has news.
   *
   * @param events EPOLLIN and others, as epoll_wait(2) reports them
   */
  void onEvents(Connection connection, int events);

  /** Handling its news has thrown: ends the connection, if it stands in this stage still. */
  void onFault(Connection connection);
}
