using Proxy.Dicom;

namespace Proxy.Retrieve.Checks;

/// <summary>Which transfer syntaxes answer a request.</summary>
internal static class BodyForms
{
    /// <summary>Whether this transfer syntax was asked for: by name, or because any will do.</summary>
    public static bool IsAsked(BodyFormat asked, string transferSyntax) =>
        asked.TransferSyntax is BodyFormat.Any or BodyFormat.Unnamed || asked.TransferSyntax == transferSyntax;
}
