"""The consumer service: multicast in; books, features and NBBO out."""
