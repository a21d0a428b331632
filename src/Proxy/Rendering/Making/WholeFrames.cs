using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Imaging.Codecs;
using Proxy.Operations;
using Proxy.Retrieve;
using Proxy.Wire;

namespace Proxy.Rendering.Making;

/// <summary>Reads frames for rendering: from the cache, else from the backend that owns the series.</summary>
internal sealed class WholeFrames(BodyReader reader)
{
    /// <summary>The limit of a frame in bytes, stored and decoded.</summary>
    public const long MaxBytes = 256L << 20;

    private static readonly Negotiation AsStored = Negotiation.Create(BodyFormat.AsStored);

    /// <summary>Opens a frame, after it has arrived.</summary>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="path">The instance.</param>
    /// <param name="number">The frame number, from 1.</param>
    /// <param name="placement">The tiers to store a fetched frame in.</param>
    /// <param name="cancellation">Cancelled when no client waits for the picture any more.</param>
    /// <returns>The frame; a failure, or neither if no backend has it.</returns>
    public async Task<BackendAnswer<WholeBody>> OpenAsync(
        Access access, InstancePath path, int number, Placement placement, CancellationToken cancellation)
    {
        var backend = "";
        try
        {
            // A video may be very long, and is not decoded here.
            var frame = await WholeBody.OpenAsync(ReadAsync, head => FindRefusal(head) is null, MaxBytes, cancellation);
            if (frame.Result.Body is not { } body)
                return frame.Result.Failures.Count > 0 ? new(GetWorst(frame.Result.Failures)) : new() { IsMissing = true };
            var refusal = FindRefusal(body.Head) ?? (frame.Length > MaxBytes ? $"it is larger than {MaxBytes >> 20} MiB" : null);
            if (refusal is null) return new(frame);
            frame.Dispose();
            return new(new BackendFailure(backend, BackendError.NotInThisForm, refusal));
        }
        catch (TruncatedBodyException)
        {
            return new(new BackendFailure(backend, BackendError.BadAnswer, "the frame was truncated"));
        }

        async Task<BodyResult> ReadAsync()
        {
            var result = await reader.ReadAsync(access, path, number, AsStored, placement, cancellation);
            backend = result.Backend;
            return result;
        }
    }

    /// <summary>The transfer syntax for the decoder: an uncompressed frame is little endian. Null when it is not known.</summary>
    public static string? FindTransferSyntax(EntryHead head) =>
        Codestream.FindCoding(head.MediaType, head.TransferSyntax) == PixelCoding.Native
            ? BodyFormat.ExplicitLittleEndian
            : head.TransferSyntax;

    private static string? FindRefusal(EntryHead head) =>
        Codestream.FindCoding(head.MediaType, head.TransferSyntax) == PixelCoding.Video ? "it is a video"
        : FindTransferSyntax(head) is not { } syntax ? "its transfer syntax is not known"
        : !FrameDecoder.CanDecode(syntax) ? $"its transfer syntax {syntax} is not supported"
        : null;

    /// <summary>The failure that decides the status of an answer that has only one.</summary>
    private static BackendFailure GetWorst(IReadOnlyList<BackendFailure> failures) =>
        failures.FirstOrDefault(failure => !failure.IsNeutral) ?? failures[0];
}
