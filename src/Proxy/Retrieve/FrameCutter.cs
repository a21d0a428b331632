using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Retrieve.Checks;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve;

/// <summary>Cuts frames out of cached whole instances, so that pixels are cached once, as frames or as instances.</summary>
public sealed class FrameCutter(AnswerCache cache, PixelDescriptions pixels, ILogger<FrameCutter> log)
{
    private readonly Answers<FrameOffsetsKey, FrameOffsets> _offsets = cache.For<FrameOffsetsKey, FrameOffsets>();

    /// <summary>The key of the frame offsets of one cached instance.</summary>
    private sealed record FrameOffsetsKey(EntryKey Instance, DateTimeOffset? Stored);

    /// <summary>The positions of the frames in an instance.</summary>
    /// <param name="Frames">Null when no frame can be cut out of the instance.</param>
    private sealed record FrameOffsets(Part10Frames? Frames)
    {
        /// <summary>One byte per frame, a <see cref="CheckState"/>. Not locked: a race costs a second check.</summary>
        public CheckState[] States { get; } = new CheckState[Frames?.Count ?? 0];
    }

    /// <summary>The result of the frame check of one cut frame.</summary>
    private enum CheckState : byte
    {
        Unchecked,

        /// <summary>Passed while the metadata of the instance was not in the store, so its length may still be wrong.</summary>
        PassedUndescribed,

        Passed,

        Failed,
    }

    /// <summary>The cached instances that a frame may be cut out of in one of these forms.</summary>
    public static IEnumerable<AcceptableEntry> GetContainers(string backend, InstancePath path, IReadOnlyList<BodyFormat> formats)
    {
        List<string> syntaxes = [BodyFormat.Any];
        foreach (var format in formats)
        {
            if (!syntaxes.Contains(format.TransferSyntax)) syntaxes.Add(format.TransferSyntax);
        }
        return syntaxes.Select(
            syntax => new AcceptableEntry(new(backend, path.ToString(), new BodyFormat(BodyFormat.Dicom, syntax)), IsContainer: true));
    }

    /// <summary>The frame; null when it cannot be cut, does not exist, or has none of the forms.</summary>
    /// <param name="key">The cache key of the instance.</param>
    /// <param name="whole">The instance; a returned frame owns it.</param>
    /// <param name="path">The frame.</param>
    /// <param name="formats">The forms that the client accepts.</param>
    /// <param name="cancellation">Cancelled when the client disconnects.</param>
    public async ValueTask<ICachedBody?> CutAsync(
        EntryKey key, ICachedBody whole, FramePath path, IReadOnlyList<BodyFormat> formats, CancellationToken cancellation)
    {
        if (await FindFramesAsync(key, whole, cancellation) is not { Frames: { } frames } offsets
            || frames.SopInstanceUid != path.Instance.Instance || frames.FindFrame(path.Frame) is not { } frame)
            return null;
        // Implicit VR concerns only the encoding of a dataset, so it is no form of a frame (PS3.18 §8.7.3.3).
        var syntax = frames.TransferSyntaxUid.ToString() is TransferSyntax.ImplicitLittleEndian
            ? BodyFormat.ExplicitLittleEndian
            : frames.TransferSyntaxUid.ToString();
        var isAsStored = key.Representation.Format!.TransferSyntax == BodyFormat.Any;
        if (!formats.Any(f => (isAsStored || f.TransferSyntax != BodyFormat.Any) && f.IsSatisfiedBy(frames.MediaType, syntax))) return null;
        var head = new EntryHead(frames.MediaType, syntax, frame.Length);
        return await IsSoundAsync(key, whole, path, offsets, frame, head, cancellation)
            ? whole.Cut(head, [.. frame.Ranges.ToArray().Select(r => (r.Offset, r.Length))])
            : null;
    }

    /// <summary>Applies the checks of fetched frames to a cut one: once, and again when the metadata becomes known.</summary>
    private async ValueTask<bool> IsSoundAsync(
        EntryKey key, ICachedBody whole, FramePath path, FrameOffsets offsets, FrameRanges frame, EntryHead head,
        CancellationToken cancellation)
    {
        var state = offsets.States[path.Frame - 1];
        if (state is CheckState.Passed or CheckState.Failed) return state == CheckState.Passed;
        var described = pixels.Find(key.Backend, path.Instance);
        if (state == CheckState.PassedUndescribed && described is null) return true;
        var start = await whole.InspectAsync(readAt => ReadStart(frame, readAt), cancellation);
        // The disk failed, which says nothing about the frame.
        if (start is null) return false;
        var check = new FrameCheck(RequestedForms.One(new(head.MediaType, head.TransferSyntax!)), path.Frame, described);
        var isSound = IsSound(check, head, start);
        offsets.States[path.Frame - 1] = !isSound ? CheckState.Failed
            : described is null ? CheckState.PassedUndescribed : CheckState.Passed;
        if (!isSound) log.CutFrameRefused(key.Backend);
        return isSound;
    }

    private static bool IsSound(FrameCheck check, EntryHead head, byte[] start)
    {
        try
        {
            return check.Read(head, start, isAll: true) is not null;
        }
        catch (MalformedAnswerException)
        {
            return false;
        }
    }

    /// <summary>The first bytes of a frame, across its fragments.</summary>
    private static byte[] ReadStart(FrameRanges frame, ReadAt readAt)
    {
        var start = new byte[(int)Math.Min(frame.Length, Codestream.StartBytes)];
        var filled = 0;
        foreach (var range in frame.Ranges.Span)
        {
            var end = filled + (int)Math.Min(range.Length, start.Length - filled);
            for (var first = filled; filled < end;)
            {
                var count = readAt(range.Offset + filled - first, start.AsSpan(filled..end));
                if (count == 0) return start[..filled];
                filled += count;
            }
        }
        return start;
    }

    /// <summary>The frames of an instance; null, and not remembered, when the disk failed.</summary>
    private async ValueTask<FrameOffsets?> FindFramesAsync(EntryKey key, ICachedBody whole, CancellationToken cancellation)
    {
        var offsetsKey = new FrameOffsetsKey(key, whole.Stored);
        if (_offsets.TryFind(offsetsKey, out var known)) return known;
        if (await whole.InspectAsync(
            readAt => new FrameOffsets(Part10Reader.FindFrames(whole.Length, readAt, out _)), cancellation) is not { } offsets)
            return null;
        _offsets.Add(offsetsKey, offsets, 64 + 17L * (offsets.Frames?.Count ?? 0));
        return offsets;
    }
}
