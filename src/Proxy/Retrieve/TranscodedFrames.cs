using System.Collections.Concurrent;
using System.Threading.Channels;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Imaging;
using Proxy.Imaging.Codecs;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// Encodes uncompressed frames without loss for clients on a slow line that accept the form: 25 to 40 % of the bytes of a CT.
/// </summary>
/// <remarks>
/// <code>
/// 1 first request   the frame uncompressed, then queue a job; a prefetch queues one before the first request
/// 2 the job         reads the frame from the cache and encodes it, one at a time; a frame that stays uncompressed is marked
/// 3 later requests  CachedBodies finds the transcoded frame before the uncompressed one
/// </code>
/// A transcoded frame is an entry of its own, so budgets, restarts and removals apply to it. Jobs hold no bytes; those beyond the
/// queue's limit are dropped, and the next request queues another. A job that a removal overtakes stores nothing.
/// </remarks>
/// <param name="cache">Stores the transcoded frames.</param>
/// <param name="cached">Finds the uncompressed frames.</param>
/// <param name="encoder">Encodes, and verifies by decoding.</param>
/// <param name="store">Describes the frames.</param>
/// <param name="answers">Stores the marks.</param>
/// <param name="log">Logs bugs.</param>
public sealed class TranscodedFrames(
    EntryCache cache, CachedBodies cached, FrameEncoder encoder, DicomMetadataStore store, AnswerCache answers,
    ILogger<TranscodedFrames> log) : BackgroundService
{
    /// <summary>Below the minimum little is saved; above the maximum one job takes too long.</summary>
    private const int MinBytes = 4 * 1024, MaxBytes = 16 * 1024 * 1024;

    private const int MaxJobs = 4096, BytesPerMark = 400;

    /// <summary>A client usually requests the metadata before the frames.</summary>
    private static readonly TimeSpan UndescribedLifetime = TimeSpan.FromMinutes(1);

    private static readonly Negotiation Stored = Negotiation.Create(BodyFormat.AsStored);

    private static readonly Tag SopClassTag = new(0x00080016);

    private readonly Answers<Key, Key> _marks = answers.For<Key, Key>();
    private readonly ConcurrentDictionary<Key, bool> _queued = new();
    private readonly Channel<Job> _jobs = Channel.CreateBounded<Job>(new BoundedChannelOptions(MaxJobs) { SingleReader = true });

    private sealed record Job(Key Key, Negotiation Negotiation, Placement Placement);

    /// <summary>A frame, and what it is transcoded into.</summary>
    /// <param name="Backend">The backend of the frame.</param>
    /// <param name="Body">The frame.</param>
    /// <param name="Form">The form that it is transcoded into.</param>
    public sealed record Key(string Backend, BodyPath Body, BodyFormat Form);

    /// <summary>The key of a transcoded frame.</summary>
    /// <param name="backend">The backend of the frame.</param>
    /// <param name="body">The frame.</param>
    /// <param name="form">The form that it is transcoded into.</param>
    public static EntryKey GetKey(string backend, BodyPath body, BodyFormat form) =>
        new(backend, body.RelativePath, new Representation(form) { Parameters = "transcoded" });

    /// <summary>True when a frame is not transcoded yet, but will be: it is uncompressed, of a suitable size, and not marked.</summary>
    /// <param name="found">The frame.</param>
    /// <param name="path">Its path.</param>
    /// <param name="negotiation">The forms that the client accepts, with the one to transcode into.</param>
    public bool CanTranscode(BodyResult found, BodyPath path, Negotiation negotiation) =>
        negotiation.Transcoded is { } form
        && found.Body?.Head is
        {
            MediaType: MediaType.OctetStream, TransferSyntax: TransferSyntax.ImplicitLittleEndian or BodyFormat.ExplicitLittleEndian,
            Length: null or >= MinBytes and <= MaxBytes
        }
        && !_marks.TryFind(new(found.Backend, path, form), out _);

    /// <summary>Queues a job.</summary>
    /// <inheritdoc cref="CanTranscode"/>
    public void Enqueue(BodyResult found, BodyPath path, Negotiation negotiation)
    {
        Enqueue(new(new(found.Backend, path, negotiation.Transcoded!), negotiation, Placement.MemoryAndDisk));
    }

    /// <summary>
    /// Queues a job for a frame that was prefetched; it is transcoded only while it is in memory, and stored in free room.
    /// </summary>
    /// <param name="frame">The frame.</param>
    public void EnqueuePrefetched(Key frame)
    {
        if (!_marks.TryFind(frame, out _)) Enqueue(new(frame, Stored, Placement.Prefetched));
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var job in _jobs.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (await TranscodeAsync(job, stoppingToken)) _marks.Add(job.Key, job.Key, BytesPerMark);
            }
            catch (TruncatedBodyException)
            {
                // It was still arriving, and its end never came.
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                log.UnhandledException(e);
            }
            finally
            {
                _queued.TryRemove(job.Key, out _);
            }
        }
    }

    private void Enqueue(Job job)
    {
        if (_queued.TryAdd(job.Key, true) && !_jobs.Writer.TryWrite(job)) _queued.TryRemove(job.Key, out _);
    }

    /// <summary>Stores the transcoded frame; true when the frame stays uncompressed.</summary>
    private async Task<bool> TranscodeAsync(Job job, CancellationToken cancellation)
    {
        var (backend, body, form) = job.Key;
        var (key, removals) = (GetKey(backend, body, form), cache.RemovalCount);
        if (await cache.HasAsync([new(key, form)], cancellation)) return false;
        using var found = await cached.FindAsync(backend, body, job.Negotiation, job.Placement, cancellation);
        if (found is null) return false;
        if (FindLayout(backend, body.Path) is not var (layout, isDose))
        {
            _marks.Add(job.Key, job.Key, BytesPerMark, UndescribedLifetime);
            return false;
        }
        if (isDose || layout.FrameLength is < MinBytes or > MaxBytes || FrameEncoder.FindRefusal(layout) is not null) return true;
        if (await ReadAsync(found, cancellation) is not { } frame) return true;
        var encoding = await encoder.EncodeAsync(form.TransferSyntax, layout, frame, cancellation);
        if (encoding.Codestream is not { } codestream || codestream.Length >= frame.Length) return true;
        await cache.AddMadeAsync(key, new(form.MediaType, form.TransferSyntax, codestream.Length), codestream, job.Placement, removals);
        return false;
    }

    /// <summary>All bytes of a frame; null when they are too many.</summary>
    private static async Task<byte[]?> ReadAsync(IBody frame, CancellationToken cancellation)
    {
        using var bytes = new MemoryStream();
        for (ReadOnlyMemory<byte> piece; !(piece = await frame.ReadAsync(cancellation)).IsEmpty;)
        {
            if (bytes.Length + piece.Length > MaxBytes) return null;
            bytes.Write(piece.Span);
        }
        return bytes.ToArray();
    }

    /// <summary>The layout of a frame and whether it is a dose; null when the metadata of this backend is not in the store.</summary>
    private (PixelLayout Layout, bool IsDose)? FindLayout(string backend, InstancePath path)
    {
        if (store.GetStudy(path.Study)?.GetList(backend).FindSeries(path.Series)?.Metadata?.FindJson(path.Instance) is not { } json
            || PixelLayout.Read(json.Span) is not { } layout)
            return null;
        for (var cursor = new DatasetCursor(json.Span); cursor.MoveNext();)
        {
            if (cursor is { Depth: 0, Node: DatasetNode.Element } && IsDose(cursor.Tag, Dataset.ReadFirst(cursor.Attribute)))
                return (layout, true);
        }
        return (layout, false);
    }

    /// <summary>RT Dose Image Storage: its values are measured, not looked at (PS3.3 §C.8.8.3).</summary>
    private static bool IsDose(Tag tag, string? value) =>
        tag == SopClassTag ? value?.TrimEnd('\0', ' ') == "1.2.840.10008.5.1.4.1.1.481.2"
        : tag == Tag.Modality && value?.Trim() == "RTDOSE";
}
