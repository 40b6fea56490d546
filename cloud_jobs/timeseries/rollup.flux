import "date"
import "experimental/array"
import "strings"
import "system"

option task = {name: "@target@", every: @every@, offset: @offset@}

// What is due, as texts: to make an array, the ledger is read here and now, before any point.
due = from(bucket: "@source@")
  |> range(start: -@days@d, stop: now())
  |> filter(fn: (r) => r._measurement == "rollup")
  |> pivot(rowKey: ["_time", "site"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> filter(fn: (r) => exists r.touched and (not exists r.rolled or r.rolled != r.touched))
  |> filter(fn: (r) => int(v: r._time) + int(v: @every@) <= int(v: now()))
  |> sort(columns: ["_time"], desc: true)
  |> limit(n: @at_once@)
  |> map(fn: (r) => ({
      time: int(v: r._time),
      period: int(v: date.truncate(t: r._time, unit: @then@)),
      touched: r.touched,
      site: r.site,
  }))
read = (tables=<-) => tables
  |> findColumn(fn: (key) => true, column: "key")
  |> array.map(fn: (x) => strings.split(v: x, t: " "))
instant = (v) => time(v: int(v: v))
marks = due
  |> map(fn: (r) => ({key: "${r.time} ${r.touched} ${r.site}"}))
  |> read()
  |> array.map(fn: (x) => ({
      _measurement: "rollup",
      _field: "rolled",
      _value: int(v: x[1]),
      _time: instant(v: x[0]),
      site: x[2],
  }))

// One stretch of time a site and period; what lies between what is due is summed up once more.
stretches = due
  |> group(columns: ["site", "period"])
  |> reduce(
      identity: {first: 9223372036854775807, last: 0},
      fn: (r, accumulator) => ({
          first: if r.time < accumulator.first then r.time else accumulator.first,
          last: if r.time > accumulator.last then r.time else accumulator.last,
      }),
  )
  |> group()
  |> map(fn: (r) => ({key: "${r.first} ${r.last + int(v: @every@)} ${r.period} ${r.site}"}))
  |> read()
  |> array.map(fn: (x) => ({
      start: instant(v: x[0]),
      stop: instant(v: x[1]),
      period: instant(v: x[2]),
      site: x[3],
  }))

points = (x) => from(bucket: "@source@")
  |> range(start: x.start, stop: x.stop)
  |> filter(fn: (r) => r.site == x.site)
sum = (tables=<-, fn) => tables
  |> aggregateWindow(every: @every@, fn: fn, createEmpty: false, timeSrc: "_start")
write = (tables=<-) => tables
  |> to(bucket: "@target@")
  |> map(fn: (r) => ({_time: r._time}))
written = stretches
  |> array.map(fn: (x) => union(tables: [
      points(x: x) |> filter(fn: (r) => @mean@) |> sum(fn: mean) |> write(),
      points(x: x) |> filter(fn: (r) => @max@) |> sum(fn: max) |> write(),
      points(x: x) |> filter(fn: (r) => @min@) |> sum(fn: min) |> write(),
      points(x: x) |> filter(fn: (r) => @last@) |> sum(fn: last) |> write(),
      points(x: x) |> filter(fn: (r) => @sparse@) |> write(),
  ]))

// Marks pass through a table that waits for everything before: they are written last.
none = {_measurement: "", _field: "", _value: 0, _time: 1970-01-01T00:00:00Z, site: ""}
nothing = array.from(rows: [{_time: none._time}])
all = union(tables: array.concat(arr: [nothing, nothing], v: written))
  |> group()
  |> map(fn: (r) => ({_measurement: "", _field: "", _value: 0, _time: r._time, site: ""}))
  |> last(column: "_time")
last_of_all = (rows, bucket) => union(tables: [
      all,
      array.from(rows: array.concat(arr: [none], v: rows)),
  ])
  |> group()
  |> filter(fn: (r) => r.site != "")
  |> group(columns: ["_measurement", "_field", "site"])
  |> to(bucket: bucket)
last_of_all(rows: marks, bucket: "@source@")
