# A fresh machine needs two commands: `make demo`, then `make test`.

DEMO_HOME ?= demo

.PHONY: demo test nightly bench accuracy web docs

# Builds rahdar, makes the Roshan-2021 scenario, hunts in it and writes demo/report.html.
demo:
	cargo build --workspace
	$${CARGO_TARGET_DIR:-target}/debug/rahdar --home $(DEMO_HOME) demo

# Every test of every crate, the end-to-end layer over the real binary included. Real exporters to compare with come
# from Debian, where that is possible; tests that miss one say so.
test:
	packaging/test-tools.sh
	cargo test --workspace

# The same tests with the bars of docs/reliability.md at their full length: some hours. They run one after the other, so that
# none disturbs what another measures, and say what they measured.
nightly:
	packaging/test-tools.sh
	RAHDAR_TIER=nightly cargo test --workspace -- --nocapture --test-threads 1

# Measures rahdar beside its rivals; benches/README.md says what is measured and how.
bench:
	benches/run

# Judges labelled captures by rahdar and by plainer rules: docs/accuracy.md.
accuracy:
	cargo build --workspace
	cargo build --workspace --example rita
	python3 benches/accuracy.py --rahdar $${CARGO_TARGET_DIR:-target}/debug/rahdar \
		--rita $${CARGO_TARGET_DIR:-target}/debug/examples/rita \
		--corpus $${RAHDAR_CORPUS:-../shared/corpus} --out docs/accuracy.md

# Shows the demo's report to Chromium: nothing is loaded, no script, no rule of its policy broken; pictures in target/web.
web: $(DEMO_HOME)/report.html
	web/check $<

$(DEMO_HOME)/report.html:
	$(MAKE) demo

# Regenerates docs/schema.md and docs/protocols.md from the column table.
docs:
	cargo xtask docs
