using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Disk;
using Proxy.Events;
using Proxy.Metadata;
using Proxy.Metadata.Persistence;
using Proxy.Operations;

namespace Proxy.Tests.Metadata;

/// <summary>A folder on disk with the stores of successive processes.</summary>
internal sealed class StoreFolder : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private CacheFolder? _folder;
    private StudyFile? _file;

    public StoreFolder()
    {
        Path = Directory.CreateTempSubdirectory("proxy-store-").FullName;
        Counters = new(_services.GetRequiredService<IMeterFactory>());
    }

    public string Path { get; }

    public string Database => System.IO.Path.Join(Path, "studies.db");

    public Counters Counters { get; }

    /// <summary>The keys of the folder from the next start on; null for a folder that is not encrypted.</summary>
    public KeyRing? Keys { get; set; }

    /// <summary>The events of all processes.</summary>
    public EventLog Events { get; } = new(NullLogger<EventLog>.Instance);

    public CacheFolder Folder => _folder!;

    public StudyFile File => _file!;

    /// <summary>The backends of the process: the identity by name.</summary>
    public Dictionary<string, string> Identities { get; } = new(
        StringComparer.OrdinalIgnoreCase)
    { ["east"] = "east@1", ["west"] = "west@1" };

    /// <summary>Starts a process after the previous one has ended; a last flush makes that an orderly shutdown.</summary>
    public DicomMetadataStore Start(long maxBytes = 1 << 30, long maxDiskBytes = long.MaxValue, TimeProvider? time = null)
    {
        End();
        _folder = new(Path, NullLogger<CacheFolder>.Instance) { Keys = Keys };
        _folder.CheckAsync().GetAwaiter().GetResult();
        _file = new(
            _folder, Identities.GetValueOrDefault, identity => Identities.FirstOrDefault(i => i.Value == identity).Key, Counters,
            NullLogger<StudyFile>.Instance);
        var store = new DicomMetadataStore(_ => 1, time ?? TimeProvider.System, Events, maxBytes, _file, maxDiskBytes);
        store.Flush();
        return store;
    }

    public void End()
    {
        _file?.Dispose();
        _folder?.Dispose();
    }

    public void Dispose()
    {
        End();
        Counters.Dispose();
        _services.Dispose();
        Directory.Delete(Path, recursive: true);
    }
}
