using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Imaging;
using Proxy.Imaging.Codecs;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// Decodes stored frames for clients that accept only uncompressed ones, where the backend cannot: Orthanc 1.10 answers 500 for
/// JPEG 2000.
/// </summary>
/// <remarks>
/// <code>
/// 1 the decoded frame is cached, under a key of its own
/// 2 the stored frame is cached, or the backend has refused this series: it is decoded, and the backend is not asked
/// 3 the backend is asked; when it fails because of the form, the stored frame is requested and decoded
/// </code>
/// The result is what the metadata describes, in length and colours (<see cref="DeclaredFrame"/>); otherwise the client gets 406.
/// </remarks>
public sealed class DecodedFrames(
    BodyFetch fetch, CachedBodies cached, EntryCache cache, FrameDecoder decoder, SeriesReader series, PixelSlots slots,
    AnswerCache answers)
{
    /// <summary>A longer codestream is not decoded: it would be longer than the largest decoded frame.</summary>
    private const int MaxBytes = 2 * FrameDecoder.MaxSamples;

    private const int BytesPerRefusal = 300;

    private static readonly BodyFormat Native = new(MediaType.OctetStream, BodyFormat.ExplicitLittleEndian);

    private static readonly Negotiation Stored = Negotiation.Create(BodyFormat.AsStored);

    /// <summary>Short, because a backend's failure to transcode may be temporary.</summary>
    private static readonly TimeSpan RefusalLifetime = TimeSpan.FromMinutes(10);

    private readonly Answers<RefusedSeries, RefusedSeries> _refused = answers.For<RefusedSeries, RefusedSeries>();

    private sealed record RefusedSeries(string Backend, SeriesPath Series);

    /// <summary>True when a client accepts uncompressed frames, and not the stored form, which can be decoded.</summary>
    /// <param name="body">The frame.</param>
    /// <param name="negotiation">The forms that the client accepts.</param>
    /// <param name="stored">The transfer syntax of the stored form; null when it is not known: then it may be any.</param>
    public static bool CanServe(BodyPath body, Negotiation negotiation, string? stored) =>
        body.Frame is not null && (stored is null || (!negotiation.AcceptsFrame(stored) && FrameDecoder.CanDecode(stored)))
        && !negotiation.Formats.Contains(BodyFormat.AsStored)
        && negotiation.Choose(MediaType.OctetStream, BodyFormat.ExplicitLittleEndian) is not null;

    /// <summary>Steps 1 and 2: the decoded frame, if it can be served without asking the backend for it; null otherwise.</summary>
    /// <param name="backend">The backend of the frame.</param>
    /// <param name="body">The frame.</param>
    /// <param name="placement">The tiers to store the frame in.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async Task<BodyResult?> FindAsync(BackendOptions backend, BodyPath body, Placement placement, CancellationToken cancellation)
    {
        // 1
        var key = GetKey(backend, body);
        if (await cache.FindAsync([new(key, Native)], cancellation) is var (_, found)) return BodyResult.Hit(found, backend.Name);
        // 2
        if (!_refused.TryFind(new(backend.Name, body.Path.SeriesPath), out _))
        {
            using var kept = await cached.FindAsync(backend.Name, body, Stored, placement, cancellation);
            if (kept is not ICachedBody) return null;
        }
        return await DecodeAsync(backend, body, placement, cancellation) is { Body: not null } decoded ? decoded : null;
    }

    /// <summary>Step 3: the decoded frame after the backend has refused to give it uncompressed.</summary>
    /// <inheritdoc cref="FindAsync"/>
    public async Task<BodyResult> MakeAsync(BackendOptions backend, BodyPath body, Placement placement, CancellationToken cancellation)
    {
        var result = await DecodeAsync(backend, body, placement, cancellation);
        var refused = new RefusedSeries(backend.Name, body.Path.SeriesPath);
        if (result.Body is not null) _refused.Add(refused, refused, BytesPerRefusal, RefusalLifetime);
        return result;
    }

    private static EntryKey GetKey(BackendOptions backend, BodyPath body) =>
        new(backend.Name, body.RelativePath, new Representation(Native) { Parameters = "decoded" });

    private Task<BodyResult> DecodeAsync(BackendOptions backend, BodyPath body, Placement placement, CancellationToken cancellation) =>
        BodyResult.FromLookupAsync(
            cache.Get(GetKey(backend, body), (inFlight, stopped) => FillAsync(backend, body, inFlight, stopped), placement), backend.Name,
            cancellation);

    /// <summary>Reads the stored frame and writes the decoded one.</summary>
    private async Task<BackendAnswer<EntryHead>> FillAsync(
        BackendOptions backend, BodyPath body, InFlightBody inFlight, CancellationToken cancellation)
    {
        try
        {
            using var stored = await WholeBody.OpenAsync(
                () => OpenStoredAsync(backend, body, cancellation), CanDecode, MaxBytes, cancellation);
            if (stored.Result.Body is not { } frame)
                return stored.Result.Failures is [var failure, ..] ? new(failure) : new() { IsMissing = true };
            if (!CanDecode(frame.Head)) return Refuse("it cannot be decoded");
            if (await series.FindDatasetAsync(backend, body.Path, cancellation) is not { } json
                || PixelLayout.Read(json.Span) is not { } layout)
                return Refuse("its metadata does not describe it");
            // Decoded, and once more when its colours are converted.
            var needed = stored.Length + 2 * layout.FrameLength;
            if (stored.Length > MaxBytes || !slots.CanHold(needed)) return Refuse("it is too large to be decoded");
            using var slot = await slots.EnterAsync(needed, cancellation);
            if (slot is null)
                return new(new BackendFailure(backend.Name, BackendError.Busy, "the proxy decodes as many frames as it can"));
            var codestream = await stored.ReadAsync(cancellation);
            var decoding = await decoder.DecodeAsync(frame.Head.TransferSyntax!, layout, codestream, cancellation);
            if (!decoding.IsDecoded) return Refuse(decoding.Reason);
            if (DeclaredFrame.Find(layout, decoding.Frame) is not { } bytes) return Refuse("its metadata describes other colours");
            slot.LeavePlace();
            var head = new EntryHead(Native.MediaType, Native.TransferSyntax, bytes.Length);
            inFlight.Begin(head);
            // The frame is whole and checked. Where it does not fit, its readers make the room that the writer waits for.
            inFlight.Open();
            await inFlight.WriteAsync(bytes, cancellation);
            return new(head);
        }
        catch (TruncatedBodyException)
        {
            return new(new BackendFailure(backend.Name, BackendError.BadAnswer, "the body was truncated"));
        }

        BackendAnswer<EntryHead> Refuse(string reason) =>
            new(new BackendFailure(backend.Name, BackendError.NotInThisForm, $"the frame was not decoded: {reason}"));
    }

    private async Task<BodyResult> OpenStoredAsync(BackendOptions backend, BodyPath body, CancellationToken cancellation)
    {
        // One of the disk or in an instance.
        var found = await cached.FindAsync(backend.Name, body, Stored, Placement.MemoryAndDisk, cancellation);
        if (found is ICachedBody kept) return BodyResult.Hit(kept, backend.Name);
        found?.Dispose();
        var asked = RequestedForms.One(BodyFormat.AsStored);
        var lookup = cached.Get(
            backend.Name, body, asked, (inFlight, stopped) => fetch.AskAsync(backend, body, asked, inFlight, stopped),
            Placement.MemoryAndDisk);
        return await BodyResult.FromLookupAsync(lookup, backend.Name, cancellation);
    }

    private static bool CanDecode(EntryHead head) => head.TransferSyntax is { } syntax && FrameDecoder.CanDecode(syntax);
}
