using System.Text;

namespace Proxy.Integration;

/// <summary>A report as an encapsulated PDF: bulk data without pixels.</summary>
public sealed class Document : Content
{
    public override string Modality => "DOC";

    public override string SopClassUid => "1.2.840.10008.5.1.4.1.1.104.1";

    public override int Frames => 0;

    public override byte[] Frame(Instance instance, int frame) => throw new NotSupportedException("A document has no frames");

    /// <summary>A page with the name of the patient.</summary>
    public static byte[] Pdf(Instance instance)
    {
        var text = $"BT /F1 24 Tf 72 720 Td (Report {instance.Series.Study.Key}) Tj ET";
        string[] objects =
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
            $"<< /Length {text.Length} >>\nstream\n{text}\nendstream",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ];
        var pdf = new StringBuilder("%PDF-1.4\n");
        var table = new StringBuilder($"xref\n0 {objects.Length + 1}\n0000000000 65535 f \n");
        for (var i = 0; i < objects.Length; i++)
        {
            table.Append($"{pdf.Length:D10} 00000 n \n");
            pdf.Append($"{i + 1} 0 obj\n{objects[i]}\nendobj\n");
        }

        var start = pdf.Length;
        pdf.Append(table).Append($"trailer << /Size {objects.Length + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
        return Encoding.ASCII.GetBytes(pdf.Length % 2 == 0 ? pdf.ToString() : pdf.Append('\n').ToString());
    }

    public override void Describe(Attributes attributes, Instance instance) => attributes
        .Text(Tags.ConversionType, "CS", "WSD")
        .Text(Tags.BurnedInAnnotation, "CS", "NO")
        .Text(Tags.DocumentTitle, "ST", instance.Series.Description)
        .Bytes(Tags.EncapsulatedDocument, "OB", Pdf(instance))
        .Text(Tags.MimeType, "LO", "application/pdf");
}
