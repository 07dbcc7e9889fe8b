"""HFTP, the wire protocol: layouts, kernels over a datagram, messages as Python values, text mode."""
