#!/usr/bin/env python3
"""A registry on loopback that images can be pulled from: registry.py PORT LAYER.tar NAME:TAG=TEXT...

Each image is the layer and a label "text". Prints "NAME:TAG DIGEST ID" of each once it serves.
"""
import gzip
import hashlib
import http.server
import json
import sys


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Images:
    def __init__(self, tar):
        self.layer = gzip.compress(tar, mtime=0)
        self.diff = digest(tar)
        self.blobs = {digest(self.layer): self.layer}
        self.manifests = {}

    def add(self, name, tag, text):
        config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Labels": {"text": text}},
            "rootfs": {"type": "layers", "diff_ids": [self.diff]}}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config),
                       "digest": digest(config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(self.layer),
                        "digest": digest(self.layer)}]}).encode()
        self.blobs[digest(config)] = config
        for key in (tag, digest(manifest)):
            self.manifests[name, key] = manifest
        return digest(manifest), digest(config)


MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def find(self):
        parts = self.path.strip("/").split("/")
        if parts == ["v2"]:
            return b"{}", "application/json"
        if len(parts) < 4 or parts[0] != "v2":
            return None, None
        name, what, key = "/".join(parts[1:-2]), parts[-2], parts[-1]
        if what == "manifests":
            return self.server.images.manifests.get((name, key)), MANIFEST
        return self.server.images.blobs.get(key), "application/octet-stream"

    def do_GET(self):
        data, kind = self.find()
        self.send_response(200 if data else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        if data:
            self.send_header("Content-Type", kind)
            self.send_header("Docker-Content-Digest", digest(data))
        self.end_headers()
        if data and self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


def main():
    port, layer, wanted = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    with open(layer, "rb") as f:
        images = Images(f.read())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.images = images
    for one in wanted:
        name, _, text = one.partition("=")
        print(name, *images.add(*name.split(":"), text))
    sys.stdout.flush()
    server.serve_forever()


main()
