#!/usr/bin/env python3
"""Checks a certificate without orderstream's help (docs/certificate.md).

    orderstream tail order-events --exact | docs/check-certificate.py orders.cert
"""
import base64, hashlib, json, struct, sys


def raw(value, encoding):
    if value is None:
        return None
    return base64.b64decode(value) if encoding == "base64" else value.encode()


def framed(data):
    return struct.pack("<q", -1) if data is None else struct.pack("<q", len(data)) + data


certificate = json.load(open(sys.argv[1]))
size = certificate["chunk_records"]
records = {partition["partition"]: [] for partition in certificate["partitions"]}
for line in sys.stdin:
    record = json.loads(line)
    key = raw(record["key"], record["key_encoding"])
    value = raw(record["value"], record["encoding"])
    records.setdefault(record["partition"], []).append(framed(key) + framed(value))

for partition in certificate["partitions"]:
    number, count = partition["partition"], partition["records"]
    found = records[number][:count]
    for chunk, expected in enumerate(partition["chunks"]):
        data = found[chunk * size : (chunk + 1) * size]
        if hashlib.sha256(b"".join(data)).hexdigest() != expected:
            sys.exit(f"different: partition {number}, chunk {chunk}")
    if len(found) != count:
        sys.exit(f"different: partition {number} has {len(found)} of {count} records")
print("same:", sum(partition["records"] for partition in certificate["partitions"]), "records")
