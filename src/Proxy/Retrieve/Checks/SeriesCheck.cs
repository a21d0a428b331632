using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve.Checks;

/// <summary>The parts of an answer that gives a whole series: each is a Part 10 file of one instance of that series.</summary>
internal static class SeriesCheck
{
    /// <summary>The instance that a part holds.</summary>
    /// <param name="identity">Of the part.</param>
    /// <param name="path">The series that was asked for.</param>
    /// <exception cref="MalformedAnswerException">It names no instance or two, or is of another study or series.</exception>
    public static Uid Read(Part10Identity identity, SeriesPath path)
    {
        if (identity.MediaStorageSopInstanceUid is { } stored && identity.SopInstanceUid is { } instance && stored != instance)
            throw new MalformedAnswerException("A file names two SOP instances.");
        if ((identity.StudyInstanceUid ?? $"{path.Study}") != $"{path.Study}"
            || (identity.SeriesInstanceUid ?? $"{path.Series}") != $"{path.Series}")
            throw new MalformedAnswerException("A file is of another study or series than was asked for.");
        return Uid.TryParse(identity.MediaStorageSopInstanceUid ?? identity.SopInstanceUid, out var uid)
            ? uid
            : throw new MalformedAnswerException("A file names no SOP instance.");
    }
}
