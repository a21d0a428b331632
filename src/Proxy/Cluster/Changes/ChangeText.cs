using System.Globalization;
using Proxy.Dicom;

namespace Proxy.Cluster.Changes;

/// <summary>The text of a change in the log.</summary>
/// <remarks>
/// <code>
/// number ⏎ node ⏎ ms since 1970 ⏎ backend ⏎ study ⏎ series ⏎ instance ⏎ kind
/// number ⏎ node ⏎ ms since 1970 ⏎ salt ⏎ hash ⏎⏎⏎ p
/// </code>
/// An absent part is empty; a study that is not known is <c>?</c>. The kind is <c>m</c> for a change of metadata alone, <c>p</c> for the
/// purge of a patient, and otherwise empty. Other parts of a removal are left out: the change then selects more.
/// </remarks>
internal static class ChangeText
{
    private const string Unknown = "?", OfMetadata = "m", OfPatient = "p";

    /// <summary>Writes all but the number.</summary>
    public static string Write(string node, Change change, DateTimeOffset now)
    {
        var time = now.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
        var removal = change.Removal;
        return change.Patient is { } patient
            ? string.Join('\n', node, time, patient.Salt, patient.Hash, "", "", OfPatient)
            : string.Join(
                '\n', node, time, removal.Backend, removal.Study is { } study ? study == default ? Unknown : study.ToString() : "",
                $"{removal.Series}", $"{removal.Instance}", removal.KeepsBodies ? OfMetadata : "");
    }

    /// <summary>Reads a change; null when it is not one.</summary>
    public static (string Node, Change Change)? Read(string[] fields)
    {
        if (fields is not [_, var node, _, var backend, var study, var series, var instance, var kind]) return null;
        if (kind == OfPatient) return (node, Change.Of(new PatientMark(backend, study)));
        if (!TryRead(study, out var studyUid) || !TryRead(series, out var seriesUid) || !TryRead(instance, out var instanceUid))
            return null;
        return (
            node,
            new(new(backend.Length == 0 ? null : backend, studyUid, seriesUid, instanceUid) { KeepsBodies = kind == OfMetadata }));
    }

    private static bool TryRead(string text, out Uid? uid)
    {
        uid = text == Unknown ? default(Uid) : null;
        if (text.Length == 0 || text == Unknown) return true;
        if (!Uid.TryParse(text, out var parsed)) return false;
        uid = parsed;
        return true;
    }
}
