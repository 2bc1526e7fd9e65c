//! Sound: RTP sockets, the 20 ms wheel, prompts and recordings.
