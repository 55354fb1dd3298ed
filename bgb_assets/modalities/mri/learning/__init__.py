"""Learning to outline lesions: the network and its variants, samples, loss, and exact inference in little memory."""
