using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve.Checks;

/// <summary>Checks the parts of a whole-series answer: each must be a Part 10 file of an instance of that series.</summary>
internal static class SeriesCheck
{
    /// <summary>The instance that a part holds.</summary>
    /// <param name="identity">The identity of the part.</param>
    /// <param name="path">The requested series.</param>
    /// <exception cref="MalformedAnswerException">It names no instance or two, or belongs to another study or series.</exception>
    public static Uid Read(Part10Identity identity, SeriesPath path)
    {
        if (identity.MediaStorageSopInstanceUid is { } stored && identity.SopInstanceUid is { } instance && stored != instance)
            throw new MalformedAnswerException("A file names two SOP instances.");
        if ((identity.StudyInstanceUid ?? $"{path.Study}") != $"{path.Study}"
            || (identity.SeriesInstanceUid ?? $"{path.Series}") != $"{path.Series}")
            throw new MalformedAnswerException("A file belongs to another study or series than requested.");
        return Uid.TryParse(identity.MediaStorageSopInstanceUid ?? identity.SopInstanceUid, out var uid)
            ? uid
            : throw new MalformedAnswerException("A file names no SOP instance.");
    }
}
