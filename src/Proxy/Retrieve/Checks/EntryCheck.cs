using System.Buffers;
using System.Globalization;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Holds an entry that was found on disk to what a backend's answer is held to: one that was stored before that was so may be a
/// log-in page.
/// </summary>
public sealed class EntryCheck(PixelDescriptions pixels)
{
    /// <summary>An instance names itself early; only a private attribute of the file meta group may stand before that.</summary>
    private const int MaxStartBytes = 64 * 1024;

    /// <summary>False when the entry cannot be what its key says.</summary>
    public bool IsSound(EntryKey key, ICachedBody body)
    {
        if (key.Format is null)
            return body.Length > 0 && BulkDataCheck.IsBulkData(body.Head.MediaType) && MediaType.IsWellFormed(body.Head.MediaType);
        if (!TryParsePath(key.Path, out var path, out var frame)) return true;
        // A frame whose transfer syntax is not known cannot be labelled here: it is asked for again.
        if (frame is not null && body.Head.TransferSyntax is null) return false;
        var kept = AskedForms.One(key.Format);
        BodyCheck check = frame is { } number
            ? new FrameCheck(kept, number, pixels.Find(key.Backend, path))
            : new InstanceCheck(kept, path.Instance);

        var room = ArrayPool<byte>.Shared.Rent(MaxStartBytes);
        try
        {
            var (count, wanted) = (0, Codestream.StartBytes);
            while (true)
            {
                for (int read; count < wanted && (read = body.ReadAt(count, room.AsSpan(count, wanted - count))) > 0;) count += read;
                var isAll = count < wanted || wanted == MaxStartBytes;
                if (check.Read(body.Head with { Length = body.Length }, room.AsMemory(0, count), isAll) is not null) return true;
                if (isAll) return false;
                wanted = Math.Min(4 * wanted, MaxStartBytes);
            }
        }
        catch (MalformedAnswerException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(room);
        }
    }

    /// <summary><c>studies/{s}/series/{e}/instances/{i}[/frames/{n}]</c></summary>
    private static bool TryParsePath(string place, out InstancePath path, out int? frame)
    {
        (path, frame) = (default, null);
        if (place.Split('/') is not ["studies", var s, "series", var e, "instances", var i, .. var rest]) return false;
        if (!Uid.TryParse(s, out var study) || !Uid.TryParse(e, out var series)) return false;
        if (!Uid.TryParse(i, out var instance)) return false;
        path = new(study, series, instance);
        if (rest is []) return true;
        if (rest is not ["frames", var text]) return false;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        frame = number;
        return true;
    }
}
