using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Proxy.Disk;
using Proxy.Operations;

namespace Proxy.Tests.Cache;

/// <summary>A disk tier with its writer on a temporary folder; can be stopped and restarted.</summary>
public sealed class DiskLab : IAsyncDisposable
{
    public static readonly DateTimeOffset Stored = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);

    private static readonly ServiceProvider Meters = new ServiceCollection().AddMetrics().BuildServiceProvider();

    private readonly bool _ownsPath;
    private readonly TimeProvider _time;

    public DiskLab(long maxBytes = 1L << 30, string? path = null, TimeProvider? time = null, KeyRing? keys = null)
    {
        Keys = keys;
        _time = time ?? TimeProvider.System;
        _ownsPath = path is null;
        Path = path ?? Directory.CreateTempSubdirectory("disk-tier-").FullName;
        MaxBytes = maxBytes;
        Begin();
    }

    public string Path { get; }

    public long MaxBytes { get; }

    /// <summary>The keys of the folder from the next start on; null for a folder that is not encrypted.</summary>
    public KeyRing? Keys { get; set; }

    public CacheFolder Folder { get; private set; } = null!;

    public DiskWriter Writer { get; private set; } = null!;

    public DiskTier Tier { get; private set; } = null!;

    /// <summary>The names of the configured backends.</summary>
    public HashSet<string> Backends { get; } = ["east", "west"];

    public IEnumerable<string> Files =>
        Directory.Exists(GetPath("entries")) ? Directory.EnumerateFiles(GetPath("entries"), "*", SearchOption.AllDirectories) : [];

    /// <summary>The tier of a proxy without a cache folder.</summary>
    public static DiskTier None()
    {
        var folder = new CacheFolder(null, NullLogger<CacheFolder>.Instance);
        return NewTier(folder, new DiskWriter(folder, name => name, 0, TimeProvider.System, NullLogger<DiskWriter>.Instance), name => name);
    }

    public static EntryKey Key(int series, int instance, string backend = "east", int study = 1) =>
        new(
            backend, $"studies/1.2.{study}/series/1.2.{study}.{series}/instances/1.2.{study}.{series}.{instance}/frames/1",
            BodyFormat.AsStored);

    /// <summary>A body that is unique to its key.</summary>
    public static byte[] GetBody(EntryKey key, int length)
    {
        var bytes = new byte[length];
        new Random(key.Path.Sum(c => c) + key.Path.Length * 7919 + key.Backend[0]).NextBytes(bytes);
        return bytes;
    }

    public static Entry GetEntry(EntryKey key, int length)
    {
        var bytes = GetBody(key, length);
        return new(
            new("application/octet-stream", "1.2.840.10008.1.2.1", length), [bytes.AsMemory(0, length / 3), bytes.AsMemory(length / 3)],
            length, Stored);
    }

    public string GetPath(params ReadOnlySpan<string> parts) => System.IO.Path.Join([Path, .. parts]);

    public void Add(EntryKey key, int length) => _ = Tier.AddAsync(key, GetEntry(key, length)).AsTask();

    /// <summary>Adds a prefetched entry.</summary>
    public void AddPrefetched(EntryKey key, int length) =>
        _ = Tier.AddAsync(key, GetEntry(key, length) with { IsPrefetched = true }).AsTask();

    /// <summary>Reads an entry, or null.</summary>
    public async Task<byte[]?> ReadAsync(EntryKey key)
    {
        if (await Tier.FindAsync([new(key)], CancellationToken.None) is not { } found) return null;
        using var body = found.Body;
        return await ReadAsync(body);
    }

    public static async Task<byte[]> ReadAsync(IBody body)
    {
        var bytes = new MemoryStream();
        for (ReadOnlyMemory<byte> piece; !(piece = await body.ReadAsync(CancellationToken.None)).IsEmpty;) bytes.Write(piece.Span);
        return bytes.ToArray();
    }

    /// <summary>Waits until every added entry is on disk or dropped.</summary>
    public async Task SettleAsync()
    {
        // A new job runs after all queued ones.
        await Tier.RemoveAsync(new("east", new SeriesPath(Uid.Parse("9.9"), Uid.Parse("9.9"))));
    }

    public async Task RestartAsync(bool inOrder = true)
    {
        await EndAsync(inOrder);
        Begin();
    }

    /// <param name="inOrder">False leaves the index as a kill does: not marked as complete.</param>
    public async Task EndAsync(bool inOrder = true)
    {
        if (!inOrder) Folder.Fail(new IOException("killed"), wasWriting: true);
        await Writer.StopAsync(CancellationToken.None);
        Writer.Dispose();
        Folder.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        if (_ownsPath && Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }

    private static DiskTier NewTier(CacheFolder folder, DiskWriter writer, Func<string, string?> identityOf) =>
        new(
            folder, writer, identityOf, new InFlightBytes(1L << 30), TimeProvider.System,
            new Counters(Meters.GetRequiredService<IMeterFactory>()), NullLogger<DiskTier>.Instance);

    private void Begin()
    {
        Folder = new(Path, NullLogger<CacheFolder>.Instance) { Keys = Keys };
        Folder.CheckAsync().GetAwaiter().GetResult();
        Writer = new(
            Folder, identity => Backends.Contains(identity.Split('@')[0]) ? identity.Split('@')[0] : null, MaxBytes, _time,
            NullLogger<DiskWriter>.Instance);
        Tier = NewTier(Folder, Writer, name => Backends.Contains(name) ? name + "@here" : null);
        Writer.StartAsync(CancellationToken.None).GetAwaiter().GetResult();
    }
}
