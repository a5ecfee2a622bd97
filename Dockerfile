# The official image of PostgreSQL with usage_limits, which databases that it
# makes preload.
ARG PG_MAJOR=17

FROM postgres:${PG_MAJOR} AS build
RUN apt-get update \
	&& apt-get install -y --no-install-recommends gcc libc6-dev make "postgresql-server-dev-${PG_MAJOR}"
COPY . /src
# what is built here already may be for another PostgreSQL
RUN make -C /src with_llvm=no clean \
	&& make -C /src with_llvm=no DESTDIR=/built install

# without the compiler and the sources
FROM postgres:${PG_MAJOR}
COPY --from=build /built/ /
RUN echo "shared_preload_libraries = 'usage_limits'" >> /usr/share/postgresql/postgresql.conf.sample
