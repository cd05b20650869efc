# A fresh machine needs two commands: `make demo`, then `make test`.

DEMO_HOME ?= demo

.PHONY: demo test bench docs

# Builds rahdar, makes the Roshan-2021 scenario, hunts in it and writes demo/report.html.
demo:
	cargo build --workspace
	$${CARGO_TARGET_DIR:-target}/debug/rahdar --home $(DEMO_HOME) demo

# Every test of every crate, the end-to-end layer over the real binary included. Real exporters to compare with come
# from Debian, where that is possible; tests that miss one say so.
test:
	packaging/test-tools.sh
	cargo test --workspace

# Measures rahdar beside its rivals; benches/README.md says what is measured and how.
bench:
	benches/run

# Regenerates docs/schema.md and docs/protocols.md from the column table.
docs:
	cargo xtask docs
