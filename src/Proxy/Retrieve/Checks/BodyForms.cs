using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>Which transfer syntaxes answer a request.</summary>
internal static class BodyForms
{
    /// <summary>Passes a transfer syntax that was asked for: by name, or because any will do.</summary>
    /// <exception cref="MalformedAnswerException">It was not: an archive that cannot transcode sends what it has.</exception>
    public static void Check(BodyFormat asked, string transferSyntax)
    {
        if (asked.TransferSyntax is BodyFormat.Any or BodyFormat.Unnamed || asked.TransferSyntax == transferSyntax) return;
        throw new MalformedAnswerException("The answer is in another transfer syntax than was asked for.") { IsOtherForm = true };
    }
}
