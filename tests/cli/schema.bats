#!/usr/bin/env bats
# `bulkhead schema`: what it says, and that it and `check` agree.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	bulkhead=${BULKHEAD:-build/release/bulkhead}
}

@test "schema prints a JSON Schema of 2020-12, and one of the host file" {
	run "$bulkhead" schema
	[ "$status" -eq 0 ]
	jq -e '."$schema" == "https://json-schema.org/draft/2020-12/schema"' <<<"$output"
	jq -e '."$defs".service.properties.mode.enum == ["enforce", "audit", "off"]' <<<"$output"
	jq -e '."$defs".service.required == ["select"]' <<<"$output"
	run "$bulkhead" schema --host
	[ "$status" -eq 0 ]
	jq -e '."$defs".limits.properties.flows.minimum == 256' <<<"$output"
}

@test "schema takes no operands" {
	run "$bulkhead" schema policies
	[ "$status" -eq 2 ]
}

@test "what is shipped is valid by it" {
	run tests/schema/verify shipped
	[ "$status" -eq 0 ]
}

@test "what check refuses it refuses, but for a short list" {
	run tests/schema/verify bad
	[ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "it and check agree on documents that were changed in one place" {
	run tests/schema/verify changed
	[ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "it and check agree on host files that were changed in one place" {
	run tests/schema/verify host
	[ "$status" -eq 0 ] || { echo "$output" && false; }
}

@test "every key has a description and is part of these tests" {
	run tests/schema/verify keys
	[ "$status" -eq 0 ] || { echo "$output" && false; }
}
