# docker build -t glotmix .
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" glotmix run recipe.yaml
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
# LightGBM's wheel takes OpenMP from the system, and the slim image has none.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
RUN pip install --no-cache-dir -c /wheels/constraints.txt "$(ls /wheels/*.whl)[raw,private,tokens]" && rm -r /wheels
# Not root, and a home that whoever runs it may write to: libraries keep caches there.
RUN useradd --create-home glotmix && chmod 1777 /home/glotmix
ENV HOME=/home/glotmix
USER glotmix
WORKDIR /data
ENTRYPOINT ["glotmix"]
CMD ["--help"]
