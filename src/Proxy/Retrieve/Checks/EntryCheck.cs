using System.Buffers;
using System.Globalization;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Applies the checks of backend answers to an entry found on disk: older versions checked less, so the entry may be a log-in page.
/// </summary>
public sealed class EntryCheck(PixelDescriptions pixels)
{
    /// <summary>An instance identifies itself early; only a private attribute of the file meta group may come before.</summary>
    private const int MaxStartBytes = 64 * 1024;

    /// <summary>False when the entry cannot be the object that its key names.</summary>
    public bool IsSound(EntryKey key, ICachedBody body)
    {
        if (key.Representation.Format is null)
            return MediaType.IsWellFormed(body.Head.MediaType) && IsSound(new BulkDataCheck(), body);
        if (!TryParsePath(key.Path, out var path, out var frame)) return true;
        // A frame of unknown transfer syntax cannot be labelled here, so it is requested again.
        if (frame is not null && body.Head.TransferSyntax is null) return false;
        var stored = RequestedForms.One(key.Representation.Format);
        BodyCheck check = frame is { } number
            ? new FrameCheck(stored, number, pixels.Find(key.Backend, path))
            : new InstanceCheck(stored, path);
        return IsSound(check, body);
    }

    private static bool IsSound(BodyCheck check, ICachedBody body)
    {
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

    /// <summary>Parses <c>studies/{s}/series/{e}/instances/{i}[/frames/{n}]</c>.</summary>
    internal static bool TryParsePath(string text, out InstancePath path, out int? frame)
    {
        (path, frame) = (default, null);
        if (text.Split('/') is not ["studies", var s, "series", var e, "instances", var i, .. var rest]) return false;
        if (!Uid.TryParse(s, out var study) || !Uid.TryParse(e, out var series)) return false;
        if (!Uid.TryParse(i, out var instance)) return false;
        path = new(study, series, instance);
        if (rest is []) return true;
        if (rest is not ["frames", var last]) return false;
        if (!int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        frame = number;
        return true;
    }
}
