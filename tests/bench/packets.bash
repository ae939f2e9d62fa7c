# shellcheck shell=bash disable=SC2034,SC2154
bench_packets() { :; }
