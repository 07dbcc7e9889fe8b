"""The live core: datagrams to rings, rings to books, features and NBBO, and those to records ready to publish.

Two kernels that run without the GIL, one a thread: :func:`libs.engine.receive.receive_loop` and
:func:`libs.engine.process.book_loop`. Replay, live and backtest call the same functions.
"""
