# docker build -t glotmix . && docker run --rm -v "$PWD:/data" glotmix run recipe.yaml
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[raw,tokens]" && rm -r /wheels
# Not root: what a run writes belongs to whoever asked (docker run --user "$(id -u):$(id -g)").
RUN useradd --create-home glotmix
USER glotmix
WORKDIR /data
ENTRYPOINT ["glotmix"]
CMD ["--help"]
