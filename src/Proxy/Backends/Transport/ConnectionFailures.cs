using System.Net.Sockets;
using System.Security.Authentication;

namespace Proxy.Backends.Transport;

/// <summary>Why no connection to a backend could be made, in words for an operator. No text names an address.</summary>
internal static class ConnectionFailures
{
    private const string CertificateMark = "The remote certificate is invalid";

    /// <summary>Describes a failed connection.</summary>
    public static string Describe(HttpRequestException failure) => failure.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => "host name not found",
        HttpRequestError.SecureConnectionError => DescribeTls(failure),
        HttpRequestError.ConnectionError when Find<SocketException>(failure) is { } socket => Describe(socket.SocketErrorCode),
        HttpRequestError.ConnectionError => "no connection",
        HttpRequestError.ResponseEnded => "connection closed before an answer",
        var other => other.ToString(),
    };

    private static string DescribeTls(HttpRequestException failure)
    {
        // "The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot"
        if (Find<AuthenticationException>(failure) is { } reason && reason.Message.StartsWith(CertificateMark, StringComparison.Ordinal))
            return "certificate not trusted: " + Explain(reason.Message[(reason.Message.LastIndexOf(':') + 1)..].Trim());
        return "no TLS connection: the port speaks another protocol or another version of TLS";
    }

    private static string Explain(string errors) => string.Join(", ", errors.Split(", ").Select(error => error switch
    {
        "RemoteCertificateNameMismatch" => "it is for another host",
        "RemoteCertificateNotAvailable" => "the server sent no certificate",
        "UntrustedRoot" or "PartialChain" => $"its issuer is unknown ({error})",
        "NotTimeValid" => "it is expired or not yet valid",
        "Revoked" => "it is revoked",
        _ => error,
    }));

    private static string Describe(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused: no program listens there",
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "host name not found",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable => "no route to the host",
        SocketError.TimedOut => "no connection in time",
        SocketError.ConnectionReset => "connection reset",
        _ => $"no connection ({error})",
    };

    private static T? Find<T>(Exception? failure) where T : Exception
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            if (failure is T found) return found;
        }
        return null;
    }
}
