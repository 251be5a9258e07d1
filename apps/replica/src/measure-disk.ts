import type { Count, DiskFigures, DiskKeeper } from "@remote-runtime/image";
import type { Metrics } from "@remote-runtime/server";
import { Counter, Gauge } from "prom-client";

/** The engine's disk and its images, read when /metrics is asked. */
export function measureDisk({ registry }: Metrics, disk: Pick<DiskKeeper, "figures">): void {
  const gauge = (
    name: string,
    help: string,
    valueOf: (figures: DiskFigures) => number | undefined,
  ): void => {
    const collect = function collect(this: Gauge): void {
      const value = valueOf(disk.figures());
      if (value === undefined) this.remove();
      else this.set(value);
    };
    registry.registerMetric(new Gauge({ name, help, registers: [], collect }));
  };
  const counter = (name: string, help: string, valueOf: (figures: DiskFigures) => number): void => {
    const collect = function collect(this: Counter): void {
      this.reset();
      this.inc(valueOf(disk.figures()));
    };
    registry.registerMetric(new Counter({ name, help, registers: [], collect }));
  };
  const counters = (name: string, what: string, countOf: (figures: DiskFigures) => Count): void => {
    counter(`${name}_total`, `Images ${what}.`, (figures) => countOf(figures).count);
    counter(`${name}_bytes_total`, `Bytes of images ${what}.`, (figures) => countOf(figures).bytes);
  };

  gauge("disk_bytes", "Size of the engine's disk.", ({ space }) => space?.totalBytes);
  gauge("disk_free_bytes", "What is free of it.", ({ space }) => space?.freeBytes);
  gauge("images_held", "Images that servers brought to the engine.", ({ held }) => held.count);
  gauge(
    "images_held_bytes",
    "Bytes of these, shared layers counted each time.",
    ({ held }) => held.bytes,
  );
  counters("images_evicted", "removed to make room", ({ evicted }) => evicted);
  counters("images_refetched", "pulled again after that", ({ refetched }) => refetched);
  counter("disk_full_total", "Pulls and builds without room.", ({ refused }) => refused);
}
