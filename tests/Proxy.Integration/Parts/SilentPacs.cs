using System.Net;
using System.Net.Sockets;

namespace Proxy.Integration;

/// <summary>A dead PACS: the system accepts connections and received bytes, and nothing reads or answers them.</summary>
public sealed class SilentPacs : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public SilentPacs()
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _socket.Listen();
    }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_socket.LocalEndPoint!).Port}/dicom-web";

    public void Dispose() => _socket.Dispose();
}
