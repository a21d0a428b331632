using System.Globalization;
using System.Text;
using Proxy.Dicom;

namespace Proxy.Backends.DicomWeb;

/// <summary>Writes the Accept header of a request for bodies (PS3.18 §8.7).</summary>
internal static class AcceptHeader
{
    private const string BulkData =
        $"multipart/related; type=\"{MediaType.OctetStream}\", {MediaType.OctetStream};q=0.5, */*;q=0.1";

    /// <summary>Accepts bulk data with or without a multipart around it.</summary>
    /// <param name="format">The form; null for octets or the archive's choice.</param>
    public static string WriteBulkData(BodyFormat? format)
    {
        if (format is null) return BulkData;
        var transferSyntax = WriteTransferSyntax(format);
        return $"multipart/related; type=\"{format.MediaType}\"{transferSyntax}, {format.MediaType}{transferSyntax};q=0.5";
    }

    /// <summary>Lists the forms with weights.</summary>
    /// <remarks>
    /// The best form comes first and again last: some servers use the first form that they understand, Orthanc 1.10 uses the last,
    /// and both ignore weights. Repeating a form does not change its meaning.
    /// </remarks>
    public static string Write(RequestedForms forms)
    {
        if (forms.Only is { } only) return Write(only);
        var text = new StringBuilder();
        for (var i = 0; i < forms.Formats.Length; i++)
        {
            text.Append(Write(forms.Formats[i]));
            if (forms.Ranks[i] > 0) text.Append(CultureInfo.InvariantCulture, $";q=0.{10 - forms.Ranks[i]}");
            text.Append(", ");
        }
        return text.Append(Write(forms.Formats[0])).ToString();
    }

    private static string Write(BodyFormat format) =>
        $"multipart/related; type=\"{format.MediaType}\"{WriteTransferSyntax(format)}";

    private static string WriteTransferSyntax(BodyFormat format) =>
        format.TransferSyntax.Length == 0 ? "" : "; transfer-syntax=" + format.TransferSyntax;
}
