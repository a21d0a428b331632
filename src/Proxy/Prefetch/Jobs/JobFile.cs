using System.Text.Json;
using System.Text.Json.Serialization;
using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Prefetch.Jobs;

/// <summary>The jobs in the cache folder, <c>prefetch.json</c>; the next process restarts jobs that have not ended.</summary>
/// <remarks>
/// A new file is written completely and replaces the old one. An unreadable file counts as absent, because a lost job can be
/// requested again. In an encrypted folder the file is encrypted.
/// </remarks>
public sealed class JobFile(CacheFolder folder)
{
    private static readonly JsonSerializerOptions Format = new() { Converters = { new JsonStringEnumConverter(), new UidConverter() } };

    private readonly Lock _writing = new();

    private const string Name = "prefetch.json";

    /// <summary>Reads the jobs; read-ahead is never stored, because its viewer has gone. Empty when there is no readable file.</summary>
    public async Task<IReadOnlyList<PrefetchJob>> ReadAsync(CancellationToken cancellation) =>
        await folder.RunAsync(Read, cancellation) ?? [];

    /// <summary>Replaces the file, without read-ahead jobs.</summary>
    /// <returns>False when the file could not be written.</returns>
    public async Task<bool> WriteAsync(IEnumerable<PrefetchJob> jobs, CancellationToken cancellation)
    {
        var text = JsonSerializer.SerializeToUtf8Bytes(jobs.Where(job => job.Reason != PrefetchReason.ReadAhead), Format);
        return await folder.RunAsync(() => Write(text), cancellation, writes: true) is not null;
    }

    private List<PrefetchJob> Read()
    {
        try
        {
            var text = folder.Seal.Open(File.ReadAllBytes(folder.GetPath(Name)), Name);
            return JsonSerializer.Deserialize<List<PrefetchJob>>(text, Format) is { } jobs && jobs.TrueForAll(IsWhole)
                ? jobs
                : [];
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException or NotSupportedException)
        {
            return [];
        }
    }

    private static bool IsWhole(PrefetchJob? job) =>
        job is { Id.Length: > 0, Root: not null, StudyUids: { IsDefaultOrEmpty: false }, Errors.IsDefault: false };

    private string Write(byte[] text)
    {
        // Two concurrent stops of the host may write at the same time.
        lock (_writing) folder.WriteWhole(Name, folder.Seal.Seal(text, Name));
        return Name;
    }

    private sealed class UidConverter : JsonConverter<Uid>
    {
        public override Uid Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Uid.TryParse(reader.GetString(), out var uid) ? uid : throw new JsonException("Not a UID.");

        public override void Write(Utf8JsonWriter writer, Uid value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString());
    }
}
