import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.ChannelMatcher;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.flush.FlushConsolidationHandler;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.InetSocketAddress;

/**
 * A WebSocket server that hands every message on to everyone: Netty as its users write it. One ChannelGroup, water
 * marks of 32 and 64 KiB, and nothing for channels that are not writable. `Broadcast EVENT_LOOPS [consolidated]`:
 * the second word puts Netty's own FlushConsolidationHandler in front. Debian's package has no native transport.
 */
public final class Broadcast {
  private static final ChannelGroup everyone = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
  private static final ChannelMatcher writable = Channel::isWritable;

  private static final class Handler extends SimpleChannelInboundHandler<WebSocketFrame> {
    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) throws Exception {
      if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete) everyone.add(context.channel());
      super.userEventTriggered(context, event);
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, WebSocketFrame frame) {
      everyone.writeAndFlush(frame.retain(), writable, true);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }

  public static void main(String[] words) throws Exception {
    int loops = Integer.parseInt(words[0]);
    boolean consolidated = words.length > 1 && words[1].equals("consolidated");
    NioEventLoopGroup group = new NioEventLoopGroup(loops);
    ServerBootstrap server = new ServerBootstrap();
    server.group(group, group)
        .channel(NioServerSocketChannel.class)
        .option(ChannelOption.SO_BACKLOG, 4096)
        .childOption(ChannelOption.TCP_NODELAY, true)
        .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(32 * 1024, 64 * 1024))
        .childHandler(
            new ChannelInitializer<SocketChannel>() {
              @Override
              protected void initChannel(SocketChannel channel) {
                if (consolidated) channel.pipeline().addLast(new FlushConsolidationHandler(256, true));
                channel
                    .pipeline()
                    .addLast(new HttpServerCodec())
                    .addLast(new HttpObjectAggregator(8192))
                    .addLast(new WebSocketServerProtocolHandler("/", null, false, 65536))
                    .addLast(new Handler());
              }
            });
    Channel listening = server.bind("127.0.0.1", 0).sync().channel();
    int port = ((InetSocketAddress) listening.localAddress()).getPort();
    System.out.println("{\"event\":\"listening\",\"port\":" + port + "}");
    listening.closeFuture().sync();
  }
}
