using System.Text.Json;
using System.Text.Json.Serialization;
using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Prefetch.Jobs;

/// <summary>
/// Jobs in the cache folder, <c>prefetch.json</c>: one that had not ended when the process did begins again with the next.
/// </summary>
/// <remarks>
/// Written whole beside the old one and put in its place. A file that cannot be read is none: jobs are only asked for again.
/// </remarks>
public sealed class JobFile(CacheFolder folder)
{
    private static readonly JsonSerializerOptions Format = new() { Converters = { new JsonStringEnumConverter(), new UidConverter() } };

    private readonly Lock _writing = new();

    private string Path => folder.GetPath("prefetch.json");

    /// <summary>Read-ahead is none of them: nobody looks any more.</summary>
    public async Task<IReadOnlyList<PrefetchJob>> ReadAsync(CancellationToken cancellation) =>
        await folder.RunAsync(Read, cancellation) ?? [];

    /// <returns>False when it could not be written.</returns>
    public async Task<bool> WriteAsync(IEnumerable<PrefetchJob> jobs, CancellationToken cancellation)
    {
        var text = JsonSerializer.SerializeToUtf8Bytes(jobs.Where(job => job.Reason != PrefetchReason.ReadAhead), Format);
        return await folder.RunAsync(() => Write(text), cancellation, writes: true) is not null;
    }

    private List<PrefetchJob> Read()
    {
        try
        {
            return JsonSerializer.Deserialize<List<PrefetchJob>>(File.ReadAllBytes(Path), Format) is { } jobs && jobs.TrueForAll(IsWhole)
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
        var passing = folder.GetPath("tmp", "prefetch.json");
        // A host may be told twice to stop, at the same time.
        lock (_writing)
        {
            File.Delete(passing);
            using (var file = new FileStream(passing, CacheFolder.NewFile()))
            {
                file.Write(text);
                file.Flush(flushToDisk: true);
            }
            File.Move(passing, Path, overwrite: true);
        }
        return Path;
    }

    private sealed class UidConverter : JsonConverter<Uid>
    {
        public override Uid Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            Uid.TryParse(reader.GetString(), out var uid) ? uid : throw new JsonException("Not a UID.");

        public override void Write(Utf8JsonWriter writer, Uid value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString());
    }
}
