"""What learns: the network, its windows of songs, the shipped variants."""
