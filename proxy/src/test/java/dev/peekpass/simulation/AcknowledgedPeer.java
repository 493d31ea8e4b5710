package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SharedWords;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One channel of the acknowledged hand-off, seen from the receiver; until it is accepted it waits
 * in the backlog. Holds the proxy to docs/protocol.md, and steps through what a receiver does with
 * each connection: take the message, claim, acknowledge, touch, close. Between any two steps it may
 * freeze or die.
 */
final class AcknowledgedPeer implements UnixSocket.Way {
  private static final int HELLO = 0x01;
  private static final int ACK = 0x02;
  private static final int REFUSE = 0x03;
  private static final int DENY = 0x04;
  private static final int NO_UID = -1;
  private static final int PROXY_HELLO = 0x11;
  private static final int OFFER = 0x12;
  private static final int OFFERED_BEFORE = 8;
  private static final int MOST_AT_ONCE = 64;
  private static final int MOST_OFFERED = 1024;
  private static final int MAX_WORDS = 4096;
  private static final int NOT_TOLD = 0xffff;

  /** How many of its messages the proxy leaves unread before no more fit. */
  private static final int TO_PROXY_CAPACITY = 278;

  /** How many messages in a row that settle nothing the proxy may take for a fault. */
  private static final int MOST_IDLE_ACKS = 3000;

  private static final long AGAIN_NANOS = 1_000_000;
  private static final int SEALS = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW | Linux.F_SEAL_SEAL;

  /** What the receiver has done about a connection. */
  private enum State {
    /** It is in the queue. */
    QUEUED,
    /** It has come, and nobody has touched it. */
    CAME,
    /** It is the receiver's. */
    OWNED,
    /** It was given back, or closed because it had been taken back. */
    LET_GO
  }

  /** A connection that was offered. */
  private static final class Item {
    final TcpConnection connection;
    final Offer offer;
    final boolean before;
    State state = State.QUEUED;
    boolean open;

    Item(TcpConnection connection, Offer offer, boolean before) {
      this.connection = connection;
      this.offer = offer;
      this.before = before;
    }
  }

  private final AcknowledgedReception reception;
  private final World world;
  private final Manners manners;
  private final UnixSocket sender;
  private final ArrayDeque<Parcel> queue = new ArrayDeque<>();
  private final ArrayDeque<ByteBuffer> toProxy = new ArrayDeque<>();
  private final List<Item> items = new ArrayList<>();
  private @Nullable SharedWords page;
  private boolean pageSeen;
  private boolean accepted;
  private boolean greeted;
  private boolean proxyGreeted;
  private boolean senderClosed;
  private boolean shutForReading;
  private boolean closed;
  private boolean resetPending;
  private int idleAcks;
  private long scribbledNanos = -1;
  private long next;
  private long granted;
  private long settled;

  /** How many of them it has said so of, and how many the proxy has read of. */
  private int settledSent;

  private int settledRead;

  AcknowledgedPeer(AcknowledgedReception reception, UnixSocket sender) {
    this.reception = reception;
    this.sender = sender;
    world = reception.world();
    manners = reception.manners();
  }

  // As the proxy's end has it.

  @Override
  public int send(UnixSocket from, Parcel parcel) {
    if (resetPending) {
      resetPending = false;
      return -Errno.ECONNRESET;
    }
    if (closed || shutForReading) {
      return -Errno.EPIPE;
    }
    if (queue.size() >= reception.channelCapacity()) {
      return -Errno.EAGAIN;
    }
    parcel.ride();
    queue.add(parcel);
    if (parcel.page() != null) {
      // What the word of an offer says is asked before the receiver has mapped it.
      SharedWords words = new SharedWords(parcel.page().lengthBytes() / Long.BYTES);
      parcel.page().map(words);
      page = words;
    }
    for (TcpConnection connection : parcel.connections()) {
      Offer offer =
          new Offer(
              reception.path(), reception.receiver().uid(), items.size(), world.nowNanos(), page);
      if (scribbledNanos == world.nowNanos()) {
        offer.scribble(); // Its word may have been written when that happened.
      }
      items.add(new Item(connection, offer, connection.isOfferedBefore()));
      connection.offered(offer);
      reception.receiver().mayLingerFromNow(connection);
    }
    reception.receiver().onArrival();
    return 0;
  }

  @Override
  public int unreceived(UnixSocket from) {
    return queue.size();
  }

  @Override
  public int receive(UnixSocket from, byte[] into) {
    if (resetPending) {
      resetPending = false;
      return -Errno.ECONNRESET;
    }
    ByteBuffer message = toProxy.poll();
    if (message == null) {
      return closed ? 0 : -Errno.EAGAIN;
    }
    int length = Math.min(message.limit(), into.length);
    message.get(0, into, 0, length);
    proxyReads(message);
    return length;
  }

  private void proxyReads(ByteBuffer message) {
    if (message.limit() < 16) {
      return;
    }
    int type = message.get(0);
    long number = message.getLong(8);
    if (number < 0 || number > items.size()) {
      return;
    }
    if (type == ACK && message.get(1) <= 1) {
      for (; settledRead < number; settledRead++) {
        Offer offer = items.get(settledRead).offer;
        offer.wordEnds();
        if (offer.isOpen()) {
          offer.settledRead();
        }
      }
    } else if (type == REFUSE && number < items.size()) {
      items.get((int) number).offer.refusedRead();
    }
  }

  private boolean isWritable() {
    return queue.size() * 4 <= reception.channelCapacity();
  }

  @Override
  public int poll(UnixSocket from) {
    int events = isWritable() ? Linux.EPOLLOUT : 0;
    if (!toProxy.isEmpty()) {
      events |= Linux.EPOLLIN;
    }
    if (closed) {
      events |= Linux.EPOLLIN | Linux.EPOLLRDHUP | Linux.EPOLLHUP;
    }
    if (resetPending) {
      events |= Linux.EPOLLERR;
    }
    return events;
  }

  @Override
  public void senderClosed(UnixSocket from) {
    senderClosed = true;
    toProxy.clear();
    items.forEach(item -> item.offer.channelClosed());
    reception.receiver().onArrival();
  }

  // As the receiver has it.

  /** Has a step done after a while, unless it has died by then. */
  private void later(long mostNanos, String what, Runnable step) {
    reception
        .receiver()
        .later(
            world.chance().below(mostNanos + 1),
            what,
            () -> {
              if (!reception.isDead() && !dies()) {
                step.run();
              }
            });
  }

  private boolean dies() {
    boolean dies = world.chance().hits(manners.deaths);
    if (dies) {
      world.note(reception.receiver() + " is killed before it");
      reception.receiver().kill(reception);
    }
    return dies;
  }

  void accepted() {
    accepted = true;
    later(manners.helloNanos, "says hello", this::greet);
  }

  private void greet() {
    if (closed) {
      return;
    }
    if (world.chance().hits(manners.breaches)) {
      breach();
    }
    if (world.chance().hits(manners.denials)) {
      ByteBuffer deny = message(DENY, 16);
      deny.put(1, (byte) (1 + world.chance().below(4))).putInt(4, NO_UID);
      tell(deny);
      end(false);
      return;
    }
    granted = manners.credits;
    ByteBuffer hello = message(HELLO, 16);
    hello.put(1, (byte) 1).put(2, (byte) manners.most);
    hello.put(3, (byte) (manners.claims ? 1 : 0)).putLong(8, granted);
    greeted = true;
    tell(hello);
    tellLoadLater();
  }

  private void tellLoadLater() {
    if (manners.idleAckNanos > 0) {
      long delay = 1 + world.chance().below(manners.idleAckNanos);
      reception.receiver().later(delay, "tells its load", this::tellLoad);
    }
  }

  /** Says how it is, though there is nothing to settle. */
  private void tellLoad() {
    if (closed || senderClosed) {
      return;
    }
    boolean idle = proxyGreeted && settled == next && toProxy.size() < TO_PROXY_CAPACITY / 2;
    if (idle && tell(acknowledgement())) {
      // The proxy bears so many, whatever their rate.
      if (++idleAcks == MOST_IDLE_ACKS) {
        reception.receiver().onBreach();
      }
    }
    tellLoadLater();
  }

  private static ByteBuffer message(int type, int length) {
    return ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN).put(0, (byte) type);
  }

  /** Sends a message; returns false when it does not fit now. What nobody reads is dropped. */
  private boolean tell(ByteBuffer message) {
    if (closed || senderClosed) {
      return true;
    }
    if (toProxy.size() >= TO_PROXY_CAPACITY) {
      return false;
    }
    toProxy.add(message);
    sender.wake(Linux.EPOLLIN);
    return true;
  }

  /** Whether nothing more comes of it. */
  boolean isOver() {
    return closed || (senderClosed && queue.isEmpty());
  }

  /** Takes the next message, if there is one and it fits; returns whether it did. */
  boolean receive() {
    Parcel parcel = queue.peek();
    if (parcel == null || closed) {
      return false;
    }
    int room = reception.room();
    int count = parcel.connections().size();
    if (manners.looksFirst && count > room) {
      return false;
    }
    queue.remove();
    if (isWritable() && !senderClosed) {
      sender.wake(Linux.EPOLLOUT);
    }
    ByteBuffer bytes = parcel.bytes();
    switch (bytes.get(0)) {
      case PROXY_HELLO -> onHello(bytes, parcel);
      case OFFER -> onOffer(bytes, parcel, Math.min(count, Math.max(room, 0)));
      default -> throw new Violation("the proxy sends a message of an unknown type");
    }
    finishDraining();
    return true;
  }

  private static void require(boolean right, String rule) {
    if (!right) {
      throw new Violation("the proxy breaks the protocol: " + rule);
    }
  }

  private void onHello(ByteBuffer bytes, Parcel parcel) {
    require(greeted && !proxyGreeted && bytes.limit() >= 16, "HELLO is its first message, once");
    proxyGreeted = true;
    require(bytes.get(1) == 1, "the lower version of both is spoken");
    boolean withPage = (bytes.getShort(2) & 1) != 0;
    int words = bytes.getInt(4);
    Memory memory = parcel.page();
    require(withPage == (memory != null), "a page comes with its flag");
    if (memory == null) {
      require(words == 0 && parcel.connections().isEmpty(), "no page has no words");
      return;
    }
    require(manners.claims, "a page comes only to who asked for it");
    require(words > 0 && words <= MAX_WORDS && Integer.bitCount(words) == 1, "a power of two");
    require((memory.seals() & SEALS) == SEALS, "the page is sealed");
    require(memory.lengthBytes() == words * Long.BYTES, "the page has the words that it says");
    pageSeen = true;
    memory.drop();
  }

  private void onOffer(ByteBuffer bytes, Parcel parcel, int fits) {
    int count = bytes.get(1) & 0xff;
    long first = bytes.getLong(8);
    require(proxyGreeted, "HELLO comes before OFFER");
    require(count == parcel.connections().size() && count > 0, "an OFFER has its descriptors");
    require(count <= Math.min(manners.most, MOST_AT_ONCE), "no more at once than HELLO said");
    require(first == next, "connections are numbered one by one");
    require(first + count <= granted, "no more is offered than was granted");
    require(first + count - settled <= MOST_OFFERED, "no more than 1024 are offered");
    next += count;
    int at = 16;
    for (int i = 0; i < count; i++) {
      Item item = items.get((int) first + i);
      require(item.connection == parcel.connections().get(i), "descriptors stand in their order");
      at = checkMetadata(bytes, at, item);
      item.state = State.CAME;
      boolean hostile = reception.receiver().uid() != 0 && world.chance().hits(2000);
      if (hostile && item.offer.isOpen()) {
        // Who has a descriptor can do so to all of them, later too, which nobody can mend.
        item.connection.setBlocking(true);
      }
      item.open = i < fits;
      if (!item.open) {
        // MSG_CTRUNC: its own end of this descriptor has never been.
        item.connection.drop();
        giveBack(item);
      } else {
        later(manners.claimNanos, "takes the " + item.connection, () -> claim(item));
      }
    }
    require(at == bytes.limit(), "an OFFER ends with its metadata");
    reception.opened(Math.min(count, fits));
  }

  private static int checkMetadata(ByteBuffer bytes, int start, Item item) {
    int at = start + 2;
    int end = at + (bytes.getShort(start) & 0xffff);
    require(end <= bytes.limit(), "metadata is within the message");
    boolean before = false;
    while (at < end) {
      int fact = bytes.get(at) & 0xff;
      before |= fact == OFFERED_BEFORE;
      at += 2 + (bytes.get(at + 1) & 0xff);
    }
    require(at == end, "facts fill the metadata");
    require(before == item.before, "offered before is said, and only where it is so");
    return end;
  }

  private void claim(Item item) {
    if (!item.open) {
      return;
    }
    Chance chance = world.chance();
    if (chance.hits(manners.breaches)) {
      breach();
    }
    if (chance.hits(manners.refusals) && !closed && !senderClosed) {
      close(item);
      giveBack(item);
      return;
    }
    if (pageSeen && !item.offer.claim()) {
      if (!item.offer.isRevoked() && !item.offer.isScribbled()) {
        throw new Violation("the " + item.connection + " cannot be claimed: " + item.offer);
      }
      close(item);
      item.state = State.LET_GO;
      acknowledgeLater();
      return;
    }
    item.connection.own(item.offer);
    item.state = State.OWNED;
    if (chance.hits(5000)) {
      item.connection.setBlocking(true);
    }
    acknowledgeLater();
    later(manners.touchNanos, "turns to the " + item.connection, () -> touch(item));
  }

  private void giveBack(Item item) {
    item.state = State.LET_GO;
    ByteBuffer refuse = message(REFUSE, 16);
    refuse.putLong(8, items.indexOf(item));
    if (!tell(refuse)) {
      throw new Violation("the proxy does not read what its receiver says");
    }
    acknowledgeLater();
  }

  private void acknowledgeLater() {
    later(manners.ackNanos, "acknowledges", this::acknowledge);
  }

  private void acknowledge() {
    while (settled < next && items.get((int) settled).state.compareTo(State.CAME) > 0) {
      settled++;
    }
    granted = Math.max(granted, settled + manners.credits);
    if (!tell(acknowledgement())) {
      later(AGAIN_NANOS, "tries to acknowledge again", this::acknowledge);
      return;
    }
    if (!closed && !senderClosed) {
      for (; settledSent < settled; settledSent++) {
        items.get(settledSent).offer.settledSent();
      }
    }
    finishDraining();
  }

  private ByteBuffer acknowledgement() {
    ByteBuffer ack = message(ACK, 24);
    boolean tellsLoad = world.chance().hits(5000);
    ack.put(1, (byte) (shutForReading ? 1 : 0));
    ack.putShort(2, (short) (tellsLoad ? world.chance().below(1001) : NOT_TOLD));
    return ack.putLong(8, settled).putLong(16, granted);
  }

  private void touch(Item item) {
    if (!item.open) {
      return;
    }
    Chance chance = world.chance();
    TcpConnection connection = item.connection;
    if (chance.hits(8000)) {
      connection.receive(null, Integer.MAX_VALUE, false);
    }
    if (chance.hits(5000)) {
      connection.send(100);
    }
    if (chance.hits(2000)) {
      connection.shutDownWriting();
    }
    later(manners.touchNanos, "is done with the " + connection, () -> close(item));
  }

  private void close(Item item) {
    if (item.open) {
      item.open = false;
      reception.receiver().mayLingerAtTheEnd(item.connection);
      item.connection.drop();
      reception.closedOne();
    }
  }

  /** Does what no receiver may, or what looks like it. */
  private void breach() {
    Chance chance = world.chance();
    boolean wrong = true;
    ByteBuffer message = message(ACK, 24);
    message.putShort(2, (short) NOT_TOLD);
    switch (chance.below(8)) {
      case 0 -> message.putLong(8, items.size() + 1L + chance.below(5));
      case 1 -> message.putLong(8, -1);
      case 2 -> message.put(1, (byte) 2);
      case 3 -> message = message(ACK, 1 + chance.below(23));
      case 4 -> message = message(REFUSE, 16).putLong(8, items.size() + chance.below(3));
      case 5 -> message = message(HELLO, 16).put(1, (byte) 1).put(2, (byte) (greeted ? 1 : 254));
      case 6 -> {
        message = message(0x77, 40);
        wrong = !greeted;
      }
      default -> {
        scribble();
        return;
      }
    }
    if (wrong) {
      reception.receiver().onBreach();
    }
    world.note(reception.receiver() + (wrong ? " breaks the protocol" : " says something new"));
    if (!tell(message)) {
      throw new Violation("the proxy does not read what its receiver says");
    }
  }

  private void scribble() {
    SharedWords words = page;
    if (words != null && pageSeen) {
      world.note(reception.receiver() + " scribbles over the page");
      // What was taken back before it shows no more.
      for (Item item : items) {
        if (!item.offer.isOpen()) {
          return;
        }
      }
      long nonsense = world.chance().below(Long.MAX_VALUE);
      for (int i = 0; i < words.count(); i++) {
        words.set(i, nonsense << 2);
      }
      items.forEach(item -> item.offer.scribble());
      scribbledNanos = world.nowNanos();
    }
  }

  /** Wants no more, takes what was sent before, and closes. */
  void drain() {
    if (closed || senderClosed) {
      return;
    }
    if (!greeted) {
      giveUp();
      return;
    }
    shutForReading = true;
    reception.receiver().onChannelEnded();
    sender.wake(0);
    acknowledge();
  }

  private void finishDraining() {
    boolean all = settled == next && queue.isEmpty();
    if (shutForReading && !closed && all) {
      end(false);
    }
  }

  /** Sends any bytes to the proxy's end. */
  void say(byte[] bytes) {
    tell(ByteBuffer.wrap(bytes));
  }

  /** Takes the next message without a look at it; returns false when there is none. */
  boolean discard() {
    Parcel parcel = queue.poll();
    if (parcel == null) {
      return false;
    }
    if (isWritable() && !senderClosed) {
      sender.wake(Linux.EPOLLOUT);
    }
    parcel.lose();
    return true;
  }

  /** shutdown(2) for reading. */
  void shutReading() {
    shutForReading = true;
    sender.wake(0);
  }

  /** Closes it and lives on: lets go of what it has not settled. */
  void giveUp() {
    for (int i = (int) settled; i < items.size(); i++) {
      Item item = items.get(i);
      item.offer.receiverGone();
      close(item);
    }
    end(!accepted);
  }

  /** The process has ended: the kernel closes all it had. */
  void die() {
    for (Item item : items) {
      item.offer.receiverGone();
      if (item.open) {
        item.open = false;
        reception.receiver().mayLingerAtTheEnd(item.connection);
        item.connection.drop();
      }
    }
    end(!accepted);
  }

  private void end(boolean neverAccepted) {
    if (closed) {
      return;
    }
    closed = true;
    resetPending = neverAccepted || !queue.isEmpty();
    for (Item item : items) {
      if (item.state == State.QUEUED) {
        item.offer.receiverGone();
      }
    }
    queue.forEach(Parcel::lose);
    queue.clear();
    if (!senderClosed) {
      if (!shutForReading) {
        reception.receiver().onChannelEnded();
      }
      sender.wake(0);
    }
  }
}
