#!/bin/sh
# `crossbook` inside the image, which holds the sources and no installed distribution.
exec python -m services.cli "$@"
