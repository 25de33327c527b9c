# orderstream on Debian slim, without a Swift toolchain.
#
#   docker build -t orderstream .
#   docker run --rm -v orderstream:/data orderstream produce --events 10000            on an embedded log in that volume
#   docker run --rm --network host orderstream status -b localhost:9092
#
# Both stages are of one Debian: the libraries that the first one links with are those of the second one.

FROM swift:6.3-bookworm AS build
WORKDIR /orderstream
COPY scripts/bootstrap.sh scripts/bootstrap.sh
RUN scripts/bootstrap.sh
COPY . .
# Objects stay in the cache, so that the next build compiles what has changed.
RUN --mount=type=cache,target=/orderstream/.build DESTDIR=/out scripts/install.sh --prefix /usr/local

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates librdkafka1 libsimdjson14 libsqlite3-0 libssl3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --user-group --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin orderstream \
 && install --directory --owner orderstream --group orderstream --mode 700 /data
COPY --from=build /out/usr/local/bin/orderstream /usr/local/bin/orderstream
# The embedded log is in /data/orderstream, the files that commands write are in /data.
ENV XDG_DATA_HOME=/data LANG=C.UTF-8
USER 10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["orderstream"]
CMD ["help"]
