using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Retrieve.Checks;

/// <summary>Checks the parts of a whole answer: each must be a Part 10 file of an instance of the requested series or study.</summary>
internal static class SeriesCheck
{
    /// <summary>The instance that a part holds.</summary>
    /// <param name="identity">The identity of the part.</param>
    /// <param name="target">The requested series or study.</param>
    /// <returns>Its path; without the series, when a study was requested and the part does not name its series.</returns>
    /// <exception cref="MalformedAnswerException">It names no instance or two, or belongs to another study or series.</exception>
    public static InstancePath Read(Part10Identity identity, FetchTarget target)
    {
        if (identity.MediaStorageSopInstanceUid is { } stored && identity.SopInstanceUid is { } instance && stored != instance)
            throw new MalformedAnswerException("A file names two SOP instances.");
        if ((identity.StudyInstanceUid ?? $"{target.Study}") != $"{target.Study}"
            || target.Series is { } requested && (identity.SeriesInstanceUid ?? $"{requested}") != $"{requested}")
            throw new MalformedAnswerException("A file belongs to another study or series than requested.");
        var series = target.Series ?? (Uid.TryParse(identity.SeriesInstanceUid, out var named) ? named : default);
        return Uid.TryParse(identity.MediaStorageSopInstanceUid ?? identity.SopInstanceUid, out var uid)
            ? new(target.Study, series, uid)
            : throw new MalformedAnswerException("A file names no SOP instance.");
    }
}
