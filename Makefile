# Two commands on a fresh machine: `make demo` and `make test`.
.PHONY: setup demo test lint bench soak widget clean
BIN := .venv/bin

setup:
	@.ci/setup

demo: setup
	@$(BIN)/python asterisk-sandbox/demo.py $(if $(ONCE),--once)

test:
	@.ci/setup --test
	@$(MAKE) --no-print-directory lint
	@.ci/tests

lint:
	@.ci/setup --dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench:
	@.ci/setup --dev
	@for bench in tests/bench/*.py; do case $$bench in */__init__.py|*/_*) continue;; esac; \
	  echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

# Kills router and Asterisk while 1,000 calls come, then counts: about five minutes. CALLS=, SEED=, ASTERISK=16.
soak: setup
	$(BIN)/python tests/sandbox/soak.py $(if $(CALLS),--calls $(CALLS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(ASTERISK),--asterisk $(ASTERISK))

# After a change of router/web/widget/source: the small script that pages get. Needs npm.
widget:
	.ci/widget

clean:
	asterisk-sandbox/sandbox down || true
	rm -rf .venv var asterisk-sandbox/var .mypy_cache .ruff_cache .pytest_cache .hypothesis
