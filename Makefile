# Each target is one line for dev.py, which works without make as well; ARGS="..." is passed on.
PY ?= python3
ARGS ?=
.PHONY: setup host test check fuzz interop bench natives unity unity-branch unity-verify wheel lock

setup: ; @$(PY) dev.py setup $(ARGS)
host: ; @$(PY) dev.py host $(ARGS)
test: ; @$(PY) dev.py test $(ARGS)
check: ; @$(PY) dev.py check $(ARGS)
fuzz: ; @$(PY) dev.py fuzz $(ARGS)
interop: ; @$(PY) dev.py interop $(ARGS)
bench: ; @$(PY) dev.py bench $(ARGS)
natives: ; @$(PY) dev.py natives $(ARGS)
unity: ; @$(PY) dev.py unity $(ARGS)
unity-branch: ; @$(PY) dev.py unity-branch $(ARGS)
unity-verify: ; @$(PY) dev.py unity-verify $(ARGS)
wheel: ; @$(PY) dev.py wheel $(ARGS)
lock: ; @$(PY) dev.py lock $(ARGS)
