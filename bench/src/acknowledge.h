// A channel of the acknowledged hand-off, version 1, as docs/protocol.md has it: claims every connection, acknowledges
// once for all that are there.
#pragma once

struct channel;

// Takes a connection to the receiver's SOCK_SEQPACKET socket, and says hello on it.
struct channel *channel_open(int fd);

// Receives what is there, settles it and gives it to answer_adopt. 0 when the channel has ended, and is closed and freed.
int channel_receive(struct channel *channel);
