package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.TcpInfo;
import dev.peekpass.simulation.InjectedError;
import dev.peekpass.simulation.InjectedException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;

/**
 * Faults that a loop could have, put between it and the kernel: for the kernel it is as if the loop
 * had them. The simulation must find each.
 */
enum Mutation {
  /** Epoll goes on watching what is passed or closed. */
  FORGETS_TO_UNWATCH("while epoll watches it") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean deletes =
          method.getName().equals("epollCtl") && arguments[1].equals(Linux.EPOLL_CTL_DEL);
      return deletes && nth % 7 == 0 ? 0 : pass(kernel, method, arguments);
    }
  },

  /** A descriptor is closed again. */
  CLOSES_TWICE("is used and is not open") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      boolean again = method.getName().equals("close") && nth % 7 == 0;
      return again ? pass(kernel, method, arguments) : r;
    }
  },

  /** The proxy's own copy stays open. */
  FORGETS_TO_CLOSE("and left open") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean forgets = method.getName().equals("close") && nth % 7 == 0;
      return forgets ? 0 : pass(kernel, method, arguments);
    }
  },

  /** In how many pieces first bytes lie is not asked. */
  LOOKS_THROUGH_ALL_PIECES("is looked through again and again") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return asksForMemory(method, arguments) ? 0 : r;
    }
  },

  /** Many segments are too many, whatever the kernel has made of them. */
  TAKES_SEGMENTS_FOR_PIECES("an outcome that cannot be: REFUSED_TOO_LARGE") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return asksForMemory(method, arguments) ? Integer.MAX_VALUE : r;
    }
  },

  /** What is looked at is taken away. */
  CONSUMES("bytes missing") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("recv")) {
        arguments[4] = (int) arguments[4] & ~Linux.MSG_PEEK;
      }
      return pass(kernel, method, arguments);
    }
  },

  /** A retry that is one too many. */
  SENDS_TWICE("was passed twice") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      if (r > 0 && method.getName().equals("sendmsg")) {
        pass(kernel, method, arguments);
      }
      return r;
    }
  },

  /** A full queue is not noticed, and the connection closed: lost. */
  TAKES_FULL_FOR_PASSED("no receiver has it") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return r == -Errno.EAGAIN && method.getName().equals("sendmsg") ? 1 : r;
    }
  },

  /** A success is not noticed. */
  TAKES_PASSED_FOR_FULL("keeps its own descriptor") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      boolean passed = r > 0 && method.getName().equals("sendmsg");
      return passed && nth % 7 == 0 ? -Errno.EAGAIN : r;
    }
  },

  /** A deadline is forgotten when the time to sleep is reckoned. */
  SLEEPS_TOO_LONG("the loop would sleep for") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("epollWait") && (int) arguments[2] > 0) {
        arguments[2] = (int) arguments[2] + 100;
      }
      return pass(kernel, method, arguments);
    }
  },

  /** Bytes that stay in place are reported again and again. */
  WATCHES_LEVEL_TRIGGERED("the loop spins") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("epollCtl")) {
        arguments[3] = (int) arguments[3] & ~Linux.EPOLLET;
      }
      return pass(kernel, method, arguments);
    }
  },

  /** A full channel is left to the timer. */
  WATCHES_FOR_NO_ROOM("and has room again") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean modifies =
          method.getName().equals("epollCtl") && arguments[1].equals(Linux.EPOLL_CTL_MOD);
      return modifies ? 0 : pass(kernel, method, arguments);
    }
  },

  /** The branch for the descriptor limit is missing. */
  IGNORES_THE_DESCRIPTOR_LIMIT("the loop spins") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return r == -Errno.EMFILE && method.getName().equals("accept4") ? -Errno.EAGAIN : r;
    }
  },

  /** The branch for an interrupted call is missing. */
  TAKES_INTERRUPTED_FOR_BROKEN("an outcome that cannot be: RESET") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return r == -Errno.EINTR && method.getName().equals("recv") ? -Errno.ECONNRESET : r;
    }
  },

  /** An edge is missed, and with it the rest of a head. */
  MISSES_EDGES("an outcome that cannot be: TIMED_OUT") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      boolean misses = r > 0 && method.getName().equals("epollWait") && nth % 7 == 0;
      return misses ? r - 1 : r;
    }
  },

  /** What is offered is not laid open in the page. */
  OFFERS_WITHOUT_A_WORD("cannot be claimed") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (!method.getName().equals("mmap")) {
        return pass(kernel, method, arguments);
      }
      // Its own page, which the receiver does not see.
      SharedWords words = (SharedWords) arguments[1];
      int r = pass(kernel, method, arguments);
      if (r == 0) {
        words.mapOnto(new NativeBuffer(words.bytes()));
      }
      return r;
    }
  },

  /** A connection is taken back, and the receiver that claims it later is not kept from it. */
  GIVES_BACK_WITHOUT_REVOKING("while it is not given back") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      throw new AssertionError("it has a state, and makes its own kernel");
    }

    @Override
    Kernel of(Kernel kernel) {
      return new SplitPages(kernel).kernel();
    }
  },

  /** The proxy's copy goes before the receiver says that it has the connection. */
  CLOSES_BEFORE_THE_ACK("is closed without an outcome") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      if (r > 1 && method.getName().equals("sendmsg")) {
        Message message = (Message) arguments[1];
        boolean offer = message.payload().get(0) == OFFER;
        if (offer) {
          kernel.close(message.descriptor(0));
        }
      }
      return r;
    }
  },

  /** An ACK is not noticed, so that the receiver's close sends no FIN. */
  MISSES_AN_ACK("and the proxy keeps its own descriptor") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return isFromReceiver(method, arguments, r, ACK) ? -Errno.EAGAIN : r;
    }
  },

  /** What a receiver gave back is forgotten. */
  MISSES_A_REFUSAL("counts as passed and is not acknowledged") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      return isFromReceiver(method, arguments, r, REFUSE) ? -Errno.EAGAIN : r;
    }
  },

  /** A request is given to a second receiver after a first has read it. */
  TAKES_TOUCHED_FOR_UNTOUCHED("bytes missing") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      if (r == 0 && method.getName().equals("tcpInfo")) {
        int unread = kernel.siocinq((Fd) arguments[0]);
        ((TcpInfo) arguments[1]).connection(Linux.TCP_ESTABLISHED, unread, 0);
      }
      return r;
    }
  },

  /** A connection that its dead receiver had made blocking goes so to the next. */
  LEAVES_IT_BLOCKING("and blocks") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean mends = method.getName().equals("fcntl") && arguments[1].equals(Linux.F_SETFL);
      return mends ? 0 : pass(kernel, method, arguments);
    }
  },

  /** The page could be cut short under its receiver. */
  LEAVES_THE_PAGE_UNSEALED("the page is sealed") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean seals = method.getName().equals("fcntl") && arguments[1].equals(Linux.F_ADD_SEALS);
      return seals ? 0 : pass(kernel, method, arguments);
    }
  },

  /** Each channel leaves a page behind. */
  FORGETS_TO_UNMAP("left memory mapped") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return method.getName().equals("munmap") ? 0 : pass(kernel, method, arguments);
    }
  },

  /** A receiver gets more than it has room for. */
  OFFERS_MORE_THAN_GRANTED("no more is offered than was granted") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      if (isFromReceiver(method, arguments, r, HELLO)) {
        ByteBuffer bytes = ((NativeBuffer) arguments[1]).bytes();
        bytes.put(8, (byte) (bytes.get(8) + 1));
      }
      return r;
    }
  },

  /** A listener is closed with clients in its queue. */
  FORGETS_WHO_IS_QUEUED("connections wait in it") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      if (method.getName().equals("acceptQueue")) {
        TcpInfo info = (TcpInfo) arguments[1];
        info.unacked(Math.max(info.unacked() - 1, 0));
      }
      return r;
    }
  },

  /** A backend gets a connection with the filter of the listener that was closing. */
  LEAVES_THE_FILTER("with the filter of its listener") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean detaches =
          method.getName().equals("setsockopt") && arguments[2].equals(Linux.SO_DETACH_FILTER);
      return detaches ? 0 : pass(kernel, method, arguments);
    }
  },

  /** The end of a channel is not noticed. */
  MISSES_THE_END_OF_A_CHANNEL("the loop spins") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      int r = pass(kernel, method, arguments);
      boolean ofChannel =
          method.getName().equals("recv") && arguments[3].equals(CHANNEL_READ_BYTES);
      return r == 0 && ofChannel ? -Errno.EAGAIN : r;
    }
  },

  /** A close that an exception came out of is made up for, though the descriptor has gone. */
  CLOSES_AGAIN_AFTER_A_FAULT("is used and is not open") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      try {
        return pass(kernel, method, arguments);
      } catch (InjectedException e) {
        if (method.getName().equals("close")) {
          pass(kernel, method, arguments);
        }
        throw e;
      }
    }
  },

  /** A connection of a message out of which an exception came is nobody's any more. */
  FORGETS_WHOM_A_FAULT_HIT("and left open") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      throw new AssertionError("it has a state, and makes its own kernel");
    }

    @Override
    Kernel of(Kernel kernel) {
      Set<Fd> forgotten = new HashSet<>();
      return wrapped(
          kernel,
          (method, arguments, nth) -> {
            if (method.getName().equals("close") && forgotten.remove((Fd) arguments[0])) {
              return 0;
            }
            try {
              return pass(kernel, method, arguments);
            } catch (InjectedException e) {
              if (method.getName().equals("sendmsg")) {
                Message message = (Message) arguments[1];
                forgotten.add(message.descriptor(message.descriptorCount() - 1));
              }
              throw e;
            }
          });
    }
  },

  /** An exception out of a message is survived, and its connections count as passed. */
  TAKES_A_FAULT_FOR_PASSED("no receiver has it") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      try {
        return pass(kernel, method, arguments);
      } catch (InjectedException e) {
        if (method.getName().equals("sendmsg")) {
          return 1;
        }
        throw e;
      }
    }
  },

  /** A connection fails at which nothing was wrong. */
  FAILS_OF_ITSELF("an outcome that cannot be: FAILED") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("recv") && nth % 7 == 0) {
        throw new IllegalStateException("a mutation");
      }
      return pass(kernel, method, arguments);
    }
  },

  /** An error does not end the loop. */
  SURVIVES_AN_ERROR("the loop goes on after an error") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      try {
        return pass(kernel, method, arguments);
      } catch (InjectedError e) {
        return -Errno.EAGAIN;
      }
    }
  },

  /** A loop that an error ends leaves its descriptors open. */
  LEAVES_ALL_OPEN_AFTER_AN_ERROR("and left open") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      throw new AssertionError("it has a state, and makes its own kernel");
    }

    @Override
    Kernel of(Kernel kernel) {
      return forgettingAfterAnError(kernel, "close");
    }
  },

  /** A loop that an error ends leaves its pages mapped. */
  LEAVES_PAGES_AFTER_AN_ERROR("left memory mapped") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      throw new AssertionError("it has a state, and makes its own kernel");
    }

    @Override
    Kernel of(Kernel kernel) {
      return forgettingAfterAnError(kernel, "munmap");
    }
  },

  /** A connection that a backup has taken over goes to its backend all the same. */
  GOES_TO_A_DRAINED_BACKEND("that was drained before it came") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("connect")) {
        arguments[1] = path(arguments[1].toString().replace("/b", "/a").replace("/c", "/a"));
      }
      return pass(kernel, method, arguments);
    }
  },

  /** A socket gets connections that are another's, since a probe has put it out. */
  GOES_TO_AN_UNHEALTHY_SOCKET("that a probe has put out") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      if (method.getName().equals("connect")) {
        arguments[1] = path(arguments[1].toString().replaceFirst("\\d$", "1"));
      }
      return pass(kernel, method, arguments);
    }
  },

  /** What lingers is closed by the loop. */
  BELIEVES_THAT_NOBODY_LINGERS("the loop waits in close(2)") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean looks = method.getName().equals("getLinger");
      return looks ? 0 : pass(kernel, method, arguments);
    }
  },

  /** Who is not trusted is taken for who is. */
  TRUSTS_EVERYBODY("the loop waits in close(2)") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenAs(0, kernel, method, arguments);
    }
  },

  /** What one user may have kept goes to another. */
  TAKES_ALL_FOR_ONE_USER("and is given to uid") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenAs(1000, kernel, method, arguments);
    }
  },

  /** A client is counted as another one. */
  COUNTS_A_CLIENT_AS_ANOTHER("by client, and pending are") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return nth % 7 == 0
          ? seenFrom(0x2001_0db8_0bad_0000L, 1, kernel, method, arguments)
          : pass(kernel, method, arguments);
    }
  },

  /** A client pays for what others do. */
  TAKES_ALL_FOR_ONE_CLIENT("is limited, and its client is below the limits") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenFrom(0x2001_0db8_0bad_0000L, 1, kernel, method, arguments);
    }
  },

  /** The oldest is given up, whoever has most. */
  SHEDS_THE_OLDEST("is shed as one of") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenFrom(0x2001_0db8_0bad_0000L, 1, kernel, method, arguments);
    }
  },

  /** A client has as many as it likes. */
  NEVER_KNOWS_A_CLIENT_AGAIN("pending of its client") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenFrom((0x2001L << 48) + nth, nth, kernel, method, arguments);
    }
  },

  /** A client comes as often as it likes. */
  NEVER_COUNTS_WHO_COMES("were let in of a client") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenFrom((0x2001L << 48) + nth, nth, kernel, method, arguments);
    }
  },

  /** Whoever is denied comes in. */
  LETS_ANYBODY_IN("was let in, and must not come in") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenFrom(0, 0xffff_c000_0203L, kernel, method, arguments);
    }
  },

  /** Whoever is not denied stays out. */
  DENIES_OTHERS("is denied, and may come in") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      return seenFrom(0, 0xffff_c000_0200L, kernel, method, arguments);
    }
  },

  /** A backend whose receiver is there is taken for gone. */
  GIVES_A_BACKUP_TOO_MUCH("a backup got a connection, and its backend was there") {
    @Override
    int call(Kernel kernel, Method method, Object[] arguments, int nth) {
      boolean denies = method.getName().equals("connect") && nth % 7 == 0;
      return denies ? -Errno.ECONNREFUSED : pass(kernel, method, arguments);
    }
  };

  /** One call of the loop, and what becomes of it. */
  private interface Fault {
    int call(Method method, Object[] arguments, int nth);
  }

  private static SockAddr path(String unix) {
    SockAddr address = new SockAddr();
    address.unix(unix.substring("unix:".length()));
    return address;
  }

  /** Makes one kind of call no more, once an error has come. */
  private static Kernel forgettingAfterAnError(Kernel kernel, String call) {
    boolean[] erred = new boolean[1];
    return wrapped(
        kernel,
        (method, arguments, nth) -> {
          if (erred[0] && method.getName().equals(call)) {
            return 0;
          }
          try {
            return pass(kernel, method, arguments);
          } catch (InjectedError e) {
            erred[0] = true;
            throw e;
          }
        });
  }

  /** Whoever listens at the other end of a UNIX socket, it seems to be one user. */
  private static int seenAs(int uid, Kernel kernel, Method method, Object[] arguments) {
    int r = pass(kernel, method, arguments);
    return method.getName().equals("peerUid") ? uid : r;
  }

  /** Whoever comes, it seems to be from an address. */
  private static int seenFrom(
      long high, long low, Kernel kernel, Method method, Object[] arguments) {
    int r = pass(kernel, method, arguments);
    if (r >= 0 && method.getName().equals("accept4")) {
      ((SockAddr) arguments[1]).inet(high, low, 1);
    }
    return r;
  }

  /** Whether it asks how much memory a receive queue takes. */
  private static boolean asksForMemory(Method method, Object[] arguments) {
    return method.getName().equals("getsockopt") && arguments[2].equals(Linux.SO_MEMINFO);
  }

  // Types of messages: docs/protocol.md.
  private static final int HELLO = 0x01;
  private static final int ACK = 0x02;
  private static final int REFUSE = 0x03;
  private static final int OFFER = 0x12;

  /** How many bytes are asked for where a channel is read, and nowhere else. */
  private static final int CHANNEL_READ_BYTES = 64;

  private static boolean isFromReceiver(Method method, Object[] arguments, int result, int type) {
    return result > 0
        && method.getName().equals("recv")
        && arguments[3].equals(CHANNEL_READ_BYTES)
        && ((NativeBuffer) arguments[1]).bytes().get(0) == type;
  }

  /** A part of what the simulation says of it. */
  final String found;

  Mutation(String found) {
    this.found = found;
  }

  /**
   * Makes a call, or what the fault makes of it.
   *
   * @param nth how many calls of any kind there were before
   */
  abstract int call(Kernel kernel, Method method, Object[] arguments, int nth);

  /** A kernel that hides the fault from the loop. */
  Kernel of(Kernel kernel) {
    return wrapped(kernel, (method, arguments, nth) -> call(kernel, method, arguments, nth));
  }

  private static Kernel wrapped(Kernel kernel, Fault fault) {
    int[] calls = new int[1];
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) ->
                method.getName().equals("nanoTime")
                    ? (Object) kernel.nanoTime()
                    : (Object) fault.call(method, arguments, calls[0]++));
  }

  static int pass(Kernel kernel, Method method, Object[] arguments) {
    try {
      return (int) method.invoke(kernel, arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      if (e.getCause() instanceof RuntimeException exception) {
        throw exception;
      }
      throw new AssertionError(e.getCause());
    } catch (IllegalAccessException e) {
      throw new AssertionError(e);
    }
  }
}
