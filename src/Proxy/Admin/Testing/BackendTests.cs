using System.Collections.Concurrent;
using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Dimse;
using Proxy.Operations;

namespace Proxy.Admin.Testing;

/// <summary>Runs tests of backends, one at a time per backend, and keeps the last report of each.</summary>
/// <param name="backends">The configured backends.</param>
/// <param name="archive">Probes a DICOMweb backend, so that its state is known after a test.</param>
/// <param name="exchange">Sends the requests of a test.</param>
/// <param name="dimse">Tests and probes a DIMSE backend.</param>
/// <param name="moves">Tests whether a DIMSE backend sends instances by C-MOVE.</param>
/// <param name="time">The clock.</param>
internal sealed class BackendTests(
    BackendSet backends, IArchive archive, BackendExchange exchange, DimseClient dimse, InstanceRetrieval moves, TimeProvider time)
{
    /// <summary>The most tests at once: each reads answers of up to 8 MiB into memory.</summary>
    private const int MaxAtOnce = 4;

    private readonly SingleFlight<string, TestReport> _running = new();
    private readonly ConcurrentDictionary<string, TestReport> _last = new(StringComparer.OrdinalIgnoreCase);
    private readonly SemaphoreSlim _slots = new(MaxAtOnce);

    /// <summary>The last report of a backend that is still configured; null when it was not tested since the start.</summary>
    public TestReport? FindLast(string backend) => backends.Find(backend) is null ? null : _last.GetValueOrDefault(backend);

    /// <summary>Tests one backend, or joins the test that runs.</summary>
    public async Task<TestReport> RunAsync(BackendOptions backend, CancellationToken cancellation)
    {
        var (report, _) = await _running.RunAsync(backend.Name, stopped => TestAsync(backend, stopped), cancellation);
        return report;
    }

    /// <summary>Tests all backends at once.</summary>
    public async Task<IReadOnlyList<TestReport>> RunAllAsync(CancellationToken cancellation) =>
        await Task.WhenAll(backends.All.Select(backend => RunAsync(backend, cancellation)));

    private async Task<TestReport> TestAsync(BackendOptions backend, CancellationToken stopped)
    {
        await _slots.WaitAsync(stopped);
        try
        {
            var isDimse = backend.Kind == BackendKind.Dimse;
            var probe = isDimse ? dimse.ProbeAsync(backend, stopped) : archive.ProbeAsync(backend, stopped);
            var report = isDimse
                ? await new DimseTest(dimse, moves, backend, time).RunAsync(stopped)
                : await new BackendTest(exchange, backend, time).RunAsync(stopped);
            await probe;
            _last[backend.Name] = report;
            return report;
        }
        finally
        {
            _slots.Release();
        }
    }
}
