using System.Net.Sockets;

namespace Proxy.Operations.Output;

/// <summary>Makes a socket wait for full packets (TCP_CORK, Linux), at most for 200 ms.</summary>
internal static class TcpCork
{
    private const int Tcp = 6, Cork = 3;

    /// <summary>Turns it on, or off, which sends what waits; false where the socket does not have it.</summary>
    public static bool TrySet(Socket socket, bool isOn)
    {
        if (!OperatingSystem.IsLinux() || socket.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6))
            return false;
        ReadOnlySpan<byte> value = isOn ? [1, 0, 0, 0] : [0, 0, 0, 0];
        socket.SetRawSocketOption(Tcp, Cork, value);
        return true;
    }
}
