
// The periods that these stretches lie in are due in turn.
last_of_all(
    rows: stretches |> array.map(fn: (x) => ({
        _measurement: "rollup",
        _field: "touched",
        _value: int(v: system.time()),
        _time: x.period,
        site: x.site,
    })),
    bucket: "@target@",
)
